// SPDX-License-Identifier: Apache-2.0
// How a thread waits for its call.

#include <time.h>

#include <algorithm>

#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/calls/client_calls.h"
#include "grpc_cxl/doorbell/back_off.h"
#include "grpc_cxl/doorbell/yield.h"

namespace grpc_cxl::internal {
namespace {

void Nap(int64_t nanoseconds) {
  const timespec nap{.tv_sec = nanoseconds / 1'000'000'000, .tv_nsec = nanoseconds % 1'000'000'000};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, nullptr);  // a signal may cut it short
}

}  // namespace

ClientCalls::Waited ClientCalls::Wait(int slot, int64_t spin_ns, int64_t patience_ns,
                                      CallOutcome* outcome, PastWait* past) {
  const int64_t start = SteadyNs();
  int64_t now = start;
  *past = {};
  if (!polls_) waiters_.StartLooking();
  bool done = false;
  spin_ns = std::min(spin_ns, patience_ns);
  while (spin_ns > 0) {
    done = Look(slot, outcome);
    if (done) break;
    if (!polls_) waiters_.WakeParked();
    if (now - start >= spin_ns) break;
    // Gives the core to a thread that needs it, maybe the server's.
    const Yielded yielded = Yield(now);
    now = yielded.now_ns;
    past->away_ns += yielded.away_ns;
    past->unseen_ns = yielded.away_ns;
  }
  past->spun_ns = now - start - past->away_ns;
  if (!done) {
    past->unseen_ns = 0;
    const int64_t until = start + patience_ns;
    done = polls_ ? NapUntilDone(slot, until, outcome, past)
                  : SleepUntilDone(slot, until, outcome, past);
    now = SteadyNs();
  }
  if (!polls_) waiters_.StopLooking();
  past->total_ns = now - start;
  if (past->woken_ns >= 0) past->woken_ns -= start;
  if (!past->slept) past->spun_ns = past->total_ns - past->away_ns;
  if (!done) return Waited::kStillRunning;
  Finish(slot);
  return Waited::kDone;
}

bool ClientCalls::LookOrEnd(int slot, CallOutcome* outcome) {
  if (Look(slot, outcome)) return true;
  if (!ended()) return false;
  LookAtEnd(slot, outcome);
  return true;
}

bool ClientCalls::SleepUntilDone(int slot, int64_t until_ns, CallOutcome* outcome, PastWait* past) {
  // SlotWaiters::StopLooking() has the fence after this store, before each sleep.
  view_.Store(client_slots_[slot].waiter, static_cast<uint32_t>(CallWaiter::kParked),
              std::memory_order_relaxed);
  for (;;) {
    if (waiters_.LookOut(until_ns, [&] { return LookOrEnd(slot, outcome); })) return true;
    // Before the last look: if the server has moved on since, Park() returns at once. relaxed: the
    // value is only compared.
    const uint32_t seen = server_slots_[slot].word.load(std::memory_order_relaxed);
    if (LookOrEnd(slot, outcome)) return true;
    const int64_t left = until_ns - SteadyNs();
    if (left <= 0) return false;
    past->slept = true;
    past->woken_ns = waiters_.Park(slot, seen, left);
  }
}

bool ClientCalls::NapUntilDone(int slot, int64_t until_ns, CallOutcome* outcome, PastWait* past) {
  BackOff naps;
  for (int64_t looked = 0;;) {
    const bool done = LookOrEnd(slot, outcome);
    const int64_t now = SteadyNs();
    // Half of the last nap too late, as a guess.
    if (past->slept) past->woken_ns = now - (now - looked) / 2;
    if (done) return true;
    if (now >= until_ns) return false;
    looked = now;
    past->slept = true;
    Nap(std::min(until_ns - now, naps.Next()));
  }
}

}  // namespace grpc_cxl::internal
