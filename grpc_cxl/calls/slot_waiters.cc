// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/calls/slot_waiters.h"

#include <sched.h>

#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/doorbell/full_fence.h"
#include "grpc_cxl/doorbell/futex.h"

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
  int64_t budget = spin_.nanoseconds();
  int64_t give_up_ns = SteadyNs() + budget;
  while (budget > 0) {
    is_done = done();
    const bool found = is_done || WakeParked() > 0;
    if (found) spin_.SpinFound();
    const int64_t now = SteadyNs();
    if (is_done || now >= until_ns) break;
    if (found) {
      budget = spin_.nanoseconds();
      give_up_ns = now + budget;
    } else if (now >= give_up_ns) {
      spin_.SpinWasted();
      break;
    }
    // Gives the core to a thread that needs it: the server's, or a thread just woken.
    sched_yield();
  }
  // Matched by the acquires above and in Park().
  looking_out_.store(false, std::memory_order_release);
  return is_done;
}

void SlotWaiters::Park(int slot, uint32_t seen, int64_t nanoseconds) {
  known_words_[slot].store(seen, std::memory_order_relaxed);
  parked_.fetch_or(Bit(slot), std::memory_order_seq_cst);  // matched by the load in WakeParked()
  if (awake_->load(std::memory_order_relaxed) == 1) {
    unwatched_since_.store(SteadyNs(), std::memory_order_relaxed);
  }
  StopLooking();
  FutexWait(slots_[slot].word, seen, nanoseconds);
  StartLooking();
  parked_.fetch_and(~Bit(slot), std::memory_order_seq_cst);  // matched as above
  // relaxed: a time by itself. The acquire and the release are those of LookOut().
  const int64_t since = unwatched_since_.exchange(0, std::memory_order_relaxed);
  if (since == 0 || looking_out_.exchange(true, std::memory_order_acquire)) return;
  spin_.SleptFor(SteadyNs() - since);
  looking_out_.store(false, std::memory_order_release);
}

void SlotWaiters::Wake(int slot) const { FutexWake(slots_[slot].word); }

}  // namespace grpc_cxl::internal
