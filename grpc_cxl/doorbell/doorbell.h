// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DOORBELL_DOORBELL_H_
#define GRPC_CXL_DOORBELL_DOORBELL_H_

#include <atomic>
#include <cstdint>

#include "grpc_cxl/coherence/shared_view.h"
#include "grpc_cxl/doorbell/doorbell_layout.h"

// Sleep and wake between two processes: a word in shared memory says who sleeps, a
// byte over the connection's unix socket ends the sleep. The socket may stand in an
// epoll set, so one thread sleeps for many connections.
//
// Why a socket and not an eventfd: whether a write to an eventfd blocks is a flag that
// both processes share, so a hostile peer could fill the counter, clear O_NONBLOCK and
// hang our thread. MSG_DONTWAIT belongs to the call. It costs 0.2 us more a wake-up.
//
// The protocol (no lost wake-up):
//
//     sleeper                               waker
//     1. epoch := odd                       a. publish (ring head, tail, ...)
//     2. full fence                         b. full fence
//     3. look at the memory once more       c. epoch odd? then stamp the time, send a byte
//     4. nothing new: sleep on the socket
//
// Of two full fences one comes first in their single total order: if 2 is first, c sees
// the odd epoch; otherwise 3 sees what a published. doorbell.pml is a model of it. Death between
// any two steps leaves nothing to repair: the socket reports it.
namespace grpc_cxl::internal {

// The sleeping half. Not thread-safe.
class DoorbellSleeper {
 public:
  // `mine` is this side's word; `fd` a connected unix socket (SOCK_SEQPACKET), not owned.
  DoorbellSleeper(DoorbellWords* mine, int fd, SharedView view = {});

  // Steps 1 and 2. The caller does 3 and 4. A call while asleep begins a new nap, which
  // is woken anew: needed before every sleep that follows a Drain().
  void PrepareToSleep();

  // Ends what PrepareToSleep() began. A no-op when awake.
  void Awake();

  bool asleep() const { return epoch_ & 1; }

  enum class Line { kOpen, kFlooded, kPeerGone };
  // Takes the pending wake-up bytes off the socket, without blocking. kPeerGone when the
  // peer closed it or died, or sent file descriptors, which only a hostile one does; what it
  // published before is still there to be read.
  // kFlooded: after 256 messages there was still more, and the peer's end may stand behind it.
  // Call again before sleeping; an edge-triggered epoll set does not tell a second time.
  Line Drain();

  int fd() const { return fd_; }

 private:
  // What one read has found in the socket's queue.
  enum class Queue { kMore, kEmpty, kEnded };  // kMore: maybe
  Queue ReadSome();
  Queue ReadOne();
  static Queue AfterError();

  DoorbellWords* const mine_;
  const int fd_;
  const bool may_have_files_;  // the kernel lets the peer send some: look before each read
  const SharedView view_;
  uint64_t epoch_;  // what mine_->epoch holds
};

// The waking half. Thread-safe.
class DoorbellWaker {
 public:
  // `peer` are the other side's words, `mine` this side's.
  DoorbellWaker(const DoorbellWords* peer, DoorbellWords* mine, int fd, SharedView view = {})
      : peer_(peer), mine_(mine), fd_(fd), view_(view) {}

  // Steps b and c, after the caller's a. Never blocks. Returns whether a byte was sent;
  // that costs about 2 us, an awake peer only the fence (20 ns).
  bool Wake();

  // Step c alone, for a caller that has issued FullFence() (full_fence.h) itself.
  bool WakeAfterFence();

 private:
  const DoorbellWords* const peer_;
  DoorbellWords* const mine_;
  const int fd_;
  const SharedView view_;
  std::atomic<uint64_t> last_woken_{0};  // the (odd) epoch that has its byte
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DOORBELL_DOORBELL_H_
