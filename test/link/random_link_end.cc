// SPDX-License-Identifier: Apache-2.0
#include "test/link/random_link_end.h"

#include <errno.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/base/steady_clock.h"
#include "test/link/stream_bytes.h"

namespace grpc_cxl::internal {
namespace {

using Clock = std::chrono::steady_clock;

// How long an end that could go on may sleep before its wake-up counts as lost. Generous: the
// other may have been taken off its core just before it sends the byte.
constexpr int kPatienceMs = 10'000;

int64_t NanosecondsSince(Clock::time_point start) {
  return std::chrono::nanoseconds(Clock::now() - start).count();
}

}  // namespace

std::string RandomLinkEnd::Exchange(uint64_t bytes) {
  total_ = bytes;
  while (error_.empty() && !Done()) {
    const bool got_on = Step();
    if (!got_on && random_() % 64 != 0) Spin();
    // Now and then to bed in the middle of work.
    if (!got_on || random_() % 256 == 0) SleepUnlessReady();
  }
  return error_;
}

// Stores to memory that is in no cache keep the stores behind them waiting in the core's
// store buffer, for as long as a large message would. That is when a missing full fence
// shows on x86: without this, hardly ever.
void RandomLinkEnd::DelayNextStore() {
  if (far_away_.empty() || random_() % 4 != 0) return;
  for (int i = 0; i < 4; ++i) far_away_[random_() % far_away_.size()] = i;
}

bool RandomLinkEnd::Send() {
  if (piece_.empty()) {
    if (!MaySend()) return false;
    // Seldom larger than the ring: then the writer waits for space, maybe several times.
    const size_t most = random_() % 128 == 0 ? 2 * link_.ring_bytes() : 48;
    piece_ = TextAt(sent_, std::min<uint64_t>(1 + random_() % most, total_ - sent_));
    ahead_ = random_() % 16 == 0 ? 1 + random_() % (8 << 10) : 1;
  }
  const size_t before = piece_.size();
  for (const bool asked : {false, true}) {
    const absl::StatusOr<size_t> written = link_.Write(piece_);
    if (!written.ok()) {
      Fail(written.status().ToString());
      return false;
    }
    sent_ += *written;
    piece_.erase(0, *written);
    DelayNextStore();
    link_.Publish();
    if (piece_.empty()) {
      link_.ClearWantSpace();
      return true;
    }
    if (!asked) link_.WantSpace();
  }
  return piece_.size() < before;
}

bool RandomLinkEnd::Receive() {
  const absl::StatusOr<size_t> readable = link_.Readable();
  if (!readable.ok()) Fail(readable.status().ToString());
  if (!readable.ok() || *readable == 0) return false;
  absl::Span<const char> front = link_.Front();
  if (random_() % 16 == 0) front = front.first(1 + random_() % front.size());
  for (const char byte : front) {
    if (byte != ByteAt(received_++)) Fail(absl::StrCat("a wrong byte before ", received_));
  }
  if (received_ > total_) Fail("more came than was sent");
  DelayNextStore();
  link_.Consume(front.size());
  return true;
}

bool RandomLinkEnd::LooksReady() const {
  link_.Look();
  // A new piece may be tried at any time; the rest of an old one waits for the space it asked for.
  return link_.MaybeReadable() || (piece_.empty() ? MaySend() : link_.MaybeWritable());
}

void RandomLinkEnd::Spin() {
  if (budget_.nanoseconds() == 0) return;
  const Clock::time_point start = Clock::now();
  while (NanosecondsSince(start) < budget_.nanoseconds()) {
    if (LooksReady()) {
      const int64_t spun = NanosecondsSince(start);
      return budget_.Waited({.total_ns = spun, .spun_ns = spun});
    }
  }
}

void RandomLinkEnd::SleepUnlessReady() {
  link_.PrepareToSleep();
  // The look before sleeping: either by doing, or as the poller does it.
  const bool ready = random_() % 2 == 0 ? Step() : LooksReady();
  if (!ready && error_.empty() && !Done()) AwaitWake();
  link_.Awake();
}

void RandomLinkEnd::AwaitWake() {
  if (link_.polls()) return std::this_thread::yield();
  ++naps_;
  const Clock::time_point start = Clock::now();
  bool could_go_on = false;
  for (;;) {
    pollfd wait{link_.socket(), POLLIN, 0};
    const int woken = poll(&wait, 1, kPatienceMs);
    PCHECK(woken >= 0 || errno == EINTR);
    if (woken > 0) break;
    // The second look in a row tells a lost wake-up from a peer that is slow.
    const bool ready = LooksReady();
    if (woken == 0 && ready && could_go_on) return Fail("lost a wake-up: it could go on");
    could_go_on = woken == 0 && ready;
  }
  const int64_t slept = NanosecondsSince(start), woken = link_.WokenAt() - SteadyNs() + slept;
  budget_.Waited(
      {.total_ns = slept, .slept = true, .woken_ns = woken >= 0 && woken <= slept ? woken : -1});
  if (link_.Drain() == DoorbellSleeper::Line::kPeerGone && !LooksReady()) {
    Fail("the peer is gone");
  }
}

void RandomLinkEnd::Fail(const std::string& what) {
  if (!error_.empty()) return;
  error_ = absl::StrCat(what, "; ", sent_, " bytes sent and ", received_, " received of ", total_,
                        "; ", state_());
}

}  // namespace grpc_cxl::internal
