#include "test/link/random_link_end.h"

#include <errno.h>
#include <poll.h>

#include <algorithm>
#include <chrono>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"

namespace grpc_cxl::internal {
namespace {

using Clock = std::chrono::steady_clock;

// How long one that could go on may wait for its ring before that counts as lost.
// Generous: the other may have been taken off its core just before it rings.
constexpr int kPatienceMs = 10'000;

int64_t NanosecondsSince(Clock::time_point start) {
  return std::chrono::nanoseconds(Clock::now() - start).count();
}

}  // namespace

std::string RandomLinkEnd::Exchange(uint64_t messages) {
  left_to_send_ = left_to_receive_ = messages;
  NextMessage();
  while (error_.empty() && (left_to_send_ > 0 || left_to_receive_ > 0)) {
    const bool got_on = Step();
    if (!got_on && random_() % 64 != 0) Spin();
    // Now and then to bed in the middle of work.
    if (!got_on || random_() % 256 == 0) SleepUnlessReady();
  }
  return error_;
}

void RandomLinkEnd::NextMessage() {
  ahead_ = random_() % 16 == 0 ? 1 + random_() % 256 : 1;
  // Seldom larger than the ring: then the writer waits for space, maybe several times.
  const size_t most = random_() % 128 == 0 ? 2 * link_.ring_bytes() : 48;
  const size_t count = random_() % most;
  outgoing_.resize(2 + count);
  outgoing_[0] = static_cast<char>(count);
  outgoing_[1] = static_cast<char>(count >> 8);
  for (size_t i = 0; i < count; ++i) outgoing_[2 + i] = ByteAt(out_position_++);
  sent_ = 0;
}

bool RandomLinkEnd::Send() {
  if (!MaySend()) return false;
  const size_t before = sent_;
  for (const bool asked : {false, true}) {
    const absl::StatusOr<size_t> written =
        link_.Write(absl::MakeConstSpan(outgoing_).subspan(sent_));
    if (!written.ok()) {
      Fail(written.status().ToString());
      return false;
    }
    sent_ += *written;
    link_.Publish();
    if (sent_ == outgoing_.size()) {
      link_.ClearWantSpace();
      if (--left_to_send_ > 0) NextMessage();
      return true;
    }
    if (!asked) link_.WantSpace();
  }
  return sent_ > before;
}

bool RandomLinkEnd::Receive() {
  const absl::StatusOr<size_t> readable = link_.Readable();
  if (!readable.ok()) Fail(readable.status().ToString());
  if (!readable.ok() || *readable == 0) return false;
  absl::Span<const char> front = link_.Front();
  if (random_() % 16 == 0) front = front.first(1 + random_() % front.size());
  Take(front);
  link_.Consume(front.size());
  return true;
}

void RandomLinkEnd::Take(absl::Span<const char> bytes) {
  for (const char byte : bytes) {
    if (left_to_receive_ == 0) return Fail("more came than was sent");
    if (count_bytes_ < 2) {
      count_ |= static_cast<size_t>(static_cast<unsigned char>(byte)) << (8 * count_bytes_++);
    } else if (byte != ByteAt(in_position_)) {
      return Fail(absl::StrCat("a wrong byte at position ", in_position_));
    } else {
      ++in_position_;
      --count_;
    }
    if (count_bytes_ == 2 && count_ == 0) {
      count_bytes_ = 0;
      --left_to_receive_;
    }
  }
}

bool RandomLinkEnd::LooksReady() const {
  return link_.MaybeReadable() || (MaySend() && link_.MaybeWritable());
}

void RandomLinkEnd::Spin() {
  if (budget_.nanoseconds() == 0) return;
  const Clock::time_point start = Clock::now();
  while (NanosecondsSince(start) < budget_.nanoseconds()) {
    if (LooksReady()) return budget_.SpinFound();
  }
  budget_.SpinWasted();
}

void RandomLinkEnd::SleepUnlessReady() {
  link_.PrepareToSleep();
  // The look before sleeping: either by doing, or as the poller does it.
  const bool ready = random_() % 2 == 0 ? Step() : LooksReady();
  if (!ready && error_.empty() && (left_to_send_ > 0 || left_to_receive_ > 0)) AwaitRing();
  link_.Awake();
}

void RandomLinkEnd::AwaitRing() {
  ++naps_;
  const Clock::time_point start = Clock::now();
  bool could_go_on = false;
  for (;;) {
    pollfd wait{link_.socket(), POLLIN, 0};
    const int woken = poll(&wait, 1, kPatienceMs);
    PCHECK(woken >= 0 || errno == EINTR);
    if (woken > 0) break;
    // The second look in a row tells a lost ring from a peer that is slow.
    const bool ready = LooksReady();
    if (woken == 0 && ready && could_go_on) return Fail("lost a wake-up: it could go on");
    could_go_on = woken == 0 && ready;
  }
  budget_.SleptFor(NanosecondsSince(start));
  if (link_.Drain() == DoorbellSleeper::Line::kPeerGone && !link_.MaybeReadable()) {
    Fail("the peer is gone");
  }
}

void RandomLinkEnd::Fail(const std::string& what) {
  if (!error_.empty()) return;
  error_ = absl::StrCat(what, "; ", left_to_send_, " messages to send and ", left_to_receive_,
                        " to receive; ", state_());
}

}  // namespace grpc_cxl::internal
