// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/calls/slot_waiters.h"

#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/doorbell/full_fence.h"
#include "grpc_cxl/doorbell/futex.h"
#include "grpc_cxl/doorbell/yield.h"

namespace grpc_cxl::internal {

void SlotWaiters::StartLooking() {
  // relaxed: if the server sees it late, it makes a needless wake-up.
  awake_->fetch_add(1, std::memory_order_relaxed);
}

void SlotWaiters::StopLooking() {
  awake_->fetch_sub(1, std::memory_order_relaxed);
  FullFence();  // steps a to c of call_layout.h; matched by the one in ServerCalls::Tell()
  WakeParked();
}

int SlotWaiters::WakeParked() {
  int woken = 0;
  // seq_cst: matched by the exchanges in Park(). A thread whose bit is not seen here has yet to
  // set it, and looks at its word after that.
  for (uint64_t left = parked_.load(std::memory_order_seq_cst); left != 0; left &= left - 1) {
    const int slot = __builtin_ctzll(left);
    // relaxed: these tell which thread wakes the sleeper, who loads the word with acquire.
    uint32_t known = known_words_[slot].load(std::memory_order_relaxed);
    const uint32_t now = slots_[slot].word.load(std::memory_order_relaxed);
    if (now == known || CallStateOf(now) == CallState::kTaken) continue;
    // The first thread to see a word wakes the sleeper. A wake-up that comes too early or too late
    // does no harm: the bit stays for the threads that look next.
    if (known_words_[slot].compare_exchange_strong(known, now, std::memory_order_relaxed)) {
      woke_at_[slot].store(SteadyNs(), std::memory_order_relaxed);  // a figure by itself
      Wake(slot);
      ++woken;
    }
  }
  return woken;
}

bool SlotWaiters::LookOut(int64_t until_ns, absl::FunctionRef<bool()> done) {
  // relaxed, both: the server wakes a thread that is overlooked here.
  if (parked_.load(std::memory_order_relaxed) == 0 || awake_->load(std::memory_order_relaxed) > 1) {
    return false;
  }
  // Matched by the release below: spin_ has one user at a time.
  if (looking_out_.exchange(true, std::memory_order_acquire)) return false;
  bool is_done = false;
  gave_up_ = {};
  int64_t now = SteadyNs();
  int64_t begin = now;
  PastWait past;
  while (spin_.nanoseconds() > 0) {
    is_done = done();
    past.total_ns = now - begin;
    past.spun_ns = past.total_ns - past.away_ns;
    if (is_done || WakeParked() > 0) {
      spin_.Waited(past);
      past = {};
      begin = now;
    }
    if (is_done || now >= until_ns) break;
    if (now - begin >= spin_.nanoseconds()) {
      gave_up_ = past;
      break;
    }
    const Yielded yielded = Yield(now);
    now = yielded.now_ns;
    past.away_ns += yielded.away_ns;
    past.unseen_ns = yielded.away_ns;
  }
  // Matched by the acquires above and in Park().
  looking_out_.store(false, std::memory_order_release);
  return is_done;
}

int64_t SlotWaiters::WokenAt(int slot, int64_t from_ns, int64_t to_ns) const {
  // relaxed, both: figures by themselves. The server may say anything.
  for (const int64_t woken_ns :
       {static_cast<int64_t>(slots_[slot].woke_at.load(std::memory_order_relaxed)),
        woke_at_[slot].load(std::memory_order_relaxed)}) {
    if (woken_ns >= from_ns && woken_ns <= to_ns) return woken_ns;
  }
  return -1;
}

int64_t SlotWaiters::Park(int slot, uint32_t seen, int64_t nanoseconds) {
  known_words_[slot].store(seen, std::memory_order_relaxed);
  parked_.fetch_or(Bit(slot), std::memory_order_seq_cst);  // matched by the load in WakeParked()
  const int64_t from = SteadyNs();
  if (awake_->load(std::memory_order_relaxed) == 1) {
    unwatched_since_.store(from, std::memory_order_relaxed);
  }
  StopLooking();
  FutexWait(slots_[slot].word, seen, nanoseconds);
  StartLooking();
  parked_.fetch_and(~Bit(slot), std::memory_order_seq_cst);  // matched as above
  const int64_t now = SteadyNs();
  const int64_t woken = WokenAt(slot, from, now);
  // relaxed: a time by itself.
  const int64_t since = unwatched_since_.exchange(0, std::memory_order_relaxed);
  if (since != 0) AllSlept(since, woken, now);
  return woken;
}

void SlotWaiters::AllSlept(int64_t from_ns, int64_t woken_ns, int64_t to_ns) {
  // The acquire and the release are those of LookOut().
  if (looking_out_.exchange(true, std::memory_order_acquire)) return;
  PastWait past = gave_up_;
  const int64_t begin_ns = from_ns - past.total_ns;
  past.total_ns = to_ns - begin_ns;
  past.slept = true;
  past.woken_ns = woken_ns < from_ns ? -1 : woken_ns - begin_ns;
  spin_.Waited(past);
  gave_up_ = {};
  looking_out_.store(false, std::memory_order_release);
}

void SlotWaiters::Wake(int slot) const { FutexWake(slots_[slot].word); }

}  // namespace grpc_cxl::internal
