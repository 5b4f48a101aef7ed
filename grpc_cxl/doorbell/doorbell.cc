// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/doorbell/doorbell.h"

#include <errno.h>
#include <sys/socket.h>

#include "grpc_cxl/base/foreign_fd.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/doorbell/full_fence.h"

namespace grpc_cxl::internal {
namespace {

// Messages that one call takes.
constexpr int kAtOnce = 4;

}  // namespace

DoorbellSleeper::DoorbellSleeper(DoorbellWords* mine, int fd, SharedView view)
    : mine_(mine),
      fd_(fd),
      may_have_files_(fd >= 0 && MayPassDescriptors(fd)),
      view_(view),
      // relaxed: only this process writes it.
      epoch_(mine->epoch.load(std::memory_order_relaxed)) {}

void DoorbellSleeper::PrepareToSleep() {
  epoch_ = (epoch_ + 1) | 1;  // the next odd number, also when asleep
  // relaxed: ordered before the caller's look at the memory by the fence, which is matched
  // by the fence in Wake().
  view_.Store(mine_->epoch, epoch_, std::memory_order_relaxed);
  FullFence();
}

void DoorbellSleeper::Awake() {
  if (!asleep()) return;
  ++epoch_;
  // relaxed: a waker that sees it late sends a byte too many.
  view_.Store(mine_->epoch, epoch_, std::memory_order_relaxed);
}

DoorbellSleeper::Line DoorbellSleeper::Drain() {
  // An honest peer sends one byte a nap; a flooding one shall not hold us here.
  constexpr int kMost = 256;
  for (int taken = 0; taken < kMost; taken += may_have_files_ ? 1 : kAtOnce) {
    switch (may_have_files_ ? ReadOne() : ReadSome()) {
      case Queue::kMore:
        continue;
      case Queue::kEmpty:
        return Line::kOpen;
      case Queue::kEnded:
        return Line::kPeerGone;
    }
  }
  return Line::kFlooded;
}

// Asks for more messages than there ought to be: when fewer come, the kernel has found the queue
// empty, which spares a second call, for EAGAIN. An end-of-file counts as a message without bytes.
// An error behind a message (ECONNRESET) is not told. But an error that is there already comes
// before all messages, so that one has come meanwhile, and its event comes after this call.
DoorbellSleeper::Queue DoorbellSleeper::ReadSome() {
  char bytes[64];  // nobody looks at them
  iovec room{bytes, sizeof(bytes)};
  mmsghdr messages[kAtOnce]{};
  for (mmsghdr& message : messages) {
    message.msg_hdr.msg_iov = &room;
    message.msg_hdr.msg_iovlen = 1;
  }
  const int got = recvmmsg(fd_, messages, kAtOnce, MSG_DONTWAIT, nullptr);
  if (got < 0) return AfterError();
  for (int i = 0; i < got; ++i) {
    if (messages[i].msg_len == 0) return Queue::kEnded;
  }
  return got < kAtOnce ? Queue::kEmpty : Queue::kMore;
}

// Looks at each message before it takes it, for its files.
DoorbellSleeper::Queue DoorbellSleeper::ReadOne() {
  bool has_files;
  const ssize_t next = PeekMessage(fd_, &has_files);
  if (next < 0) return AfterError();
  if (next == 0 || has_files) return Queue::kEnded;
  char byte;
  return recv(fd_, &byte, 1, MSG_DONTWAIT) < 0 ? AfterError() : Queue::kMore;
}

DoorbellSleeper::Queue DoorbellSleeper::AfterError() {
  if (errno == EAGAIN) return Queue::kEmpty;
  return errno == EINTR ? Queue::kMore : Queue::kEnded;
}

bool DoorbellWaker::Wake() {
  FullFence();  // matched by the fence in PrepareToSleep()
  return WakeAfterFence();
}

bool DoorbellWaker::WakeAfterFence() {
  // relaxed: ordered after what the caller published by the full fence.
  const uint64_t epoch = view_.Load(peer_->epoch, std::memory_order_relaxed);
  if ((epoch & 1) == 0) return false;
  // relaxed: the thread that stores the number of this nap sends its byte; no data depends on
  // it. Looked at first, so that waking threads do not take the line from each other.
  if (last_woken_.load(std::memory_order_relaxed) == epoch ||
      last_woken_.exchange(epoch, std::memory_order_relaxed) == epoch) {
    return false;
  }
  // relaxed: a figure by itself. The byte comes after it; another nap's waker may write it anew.
  view_.Store(mine_->woke_at, static_cast<uint64_t>(SteadyNs()), std::memory_order_relaxed);
  while (true) {
    const char byte = 0;
    if (send(fd_, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1) return true;
    if (errno == EINTR) continue;
    // Full: bytes wait to be taken, the sleeper cannot sleep on them.
    // Gone: the sleeper needs no waking; our own Drain() reports it.
    if (errno == EAGAIN || errno == EPIPE || errno == ECONNRESET) return false;
    // No memory for a byte, say. A connection that ends is better than one that hangs, so
    // both ends shall see the line closed.
    shutdown(fd_, SHUT_RDWR);
    return false;
  }
}

}  // namespace grpc_cxl::internal
