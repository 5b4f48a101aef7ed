// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DOORBELL_SPIN_BUDGET_H_
#define GRPC_CXL_DOORBELL_SPIN_BUDGET_H_

#include <cstdint>

#include "absl/time/time.h"
#include "grpc_cxl/doorbell/wait_histogram.h"
#include "grpc_cxl/wait_policy.h"

namespace grpc_cxl::internal {

// How threads wait: the user's options (grpc_cxl/options.h).
struct WaitTerms {
  WaitPolicy policy = WaitPolicy::kAdaptive;
  absl::Duration max_spin = absl::Milliseconds(1);
  double latency_weight = 2;
  absl::Duration idle_spin = absl::Milliseconds(10);

  friend bool operator==(const WaitTerms&, const WaitTerms&) = default;
};

// A wait that is over. Times in nanoseconds.
struct PastWait {
  int64_t total_ns = 0;   // from its begin until the thread went on
  int64_t spun_ns = 0;    // of that: looking, on a core
  int64_t away_ns = 0;    // of that: while another thread had the core that we looked from
  int64_t unseen_ns = 0;  // if it did not sleep: since the last look that found nothing
  bool slept = false;
  // If it slept: from its begin until the waker's stamp; negative: not known.
  int64_t woken_ns = -1;
  // How long the work took for which it waited; negative: not known.
  int64_t work_ns = -1;
};

// Tells a waiting thread how long to spin before it sleeps. A wait of length t costs
//
//     t                                      if it ends while spinning, for s >= t
//     s + K, K = latency_weight * L + C      otherwise
//
// where L is the latency of a wake-up, C its CPU time on both sides, and `latency_weight` how much
// CPU time latency is worth. The budget is the s with the least mean cost over the last waits. That
// is competitive spinning for an unknown distribution: a thread that adapts to the waits it has
// seen comes within e/(e-1) of one that knows each wait beforehand (Karlin, Manasse, McGeoch and
// Owicki, "Competitive Randomized Algorithms for Nonuniform Problems", Algorithmica 11, 1994).
//
// A waker stamps the time, so that the sleeper knows how long the wait was, and L on this machine.
// At most 300 us are believed, and a sleep now and then measures L anew: a peer that lies, or a
// process that was stopped, has no thread spin for long. A core that slept is slow at first: to L
// is added how much longer work takes after a sleep than after a spin, at most twice L, since the
// work itself may differ. C is not measured but taken to be L: processes took 1.0 to 1.3 of it
// where L is 60 us.
//
// A spinning thread offers the core to others (sched_yield) at every look, so it takes little from
// a thread of its own scheduling group that wants it. (From those of other control groups or
// sessions it takes its group's share of the core; what that costs them is not counted.) But what
// comes while another thread has the core is seen late. How late is known from the waits before.
// Spinning stops while that costs more than it saves; the memory of it fades, so that it is tried
// again.
//
// Spins in vain may cost what others have saved and `idle_spin` for each second asleep.
//
// The waits that were seen tell what a longer spin would have brought if nothing else had changed.
// But where two threads wait for each other, each finds the other's wake-ups in its own waits: both
// rightly sleep, although the waits would become short if one of them spun. Only a trial finds
// that: a sleeping thread now and then spins for a few waits, as long as most of them were, and
// goes on with what it sees if that costs less than sleeping.
//
// Not thread-safe: one per waiting thread.
class SpinBudget {
 public:
  explicit SpinBudget(const WaitTerms& terms);
  SpinBudget(WaitPolicy policy, absl::Duration most)
      : SpinBudget(WaitTerms{.policy = policy, .max_spin = most}) {}

  // How long to spin now, in nanoseconds; 0: sleep at once.
  int64_t nanoseconds() const { return budget_ns_; }

  // What a wake-up takes, as far as it is known; else 0.
  int64_t wake_up_ns() const { return latency_ns_ < 0 ? 0 : static_cast<int64_t>(latency_ns_); }

  // The last wait, for which nanoseconds() was the budget.
  void Waited(const PastWait& wait);

 private:
  // Enters the wait into the histogram. Returns how late it was seen, if it did not sleep.
  double Learn(const PastWait& wait);
  void LearnWork(const PastWait& wait);
  // How much longer work takes after a sleep than after a spin, as far as it is known.
  double Slowdown() const;
  void Settle(const PastWait& wait, double lateness_ns);
  int64_t Best(const WaitHistogram& waits) const;
  // The budget of a thread that would sleep: 0, or that of a trial.
  int64_t TryOut();

  WaitTerms terms_;
  int64_t most_ns_;
  int64_t budget_ns_;

  WaitHistogram waits_;
  // A trial, and how many sleeps there are until the next one.
  WaitHistogram trial_waits_;
  int trial_left_ = 0;
  int until_trial_;
  int trials_in_vain_ = 0;
  double latency_ns_ = -1;  // L; negative: not known, so no spin is tried
  double work_after_sleep_ns_ = -1, work_after_spin_ns_ = -1;  // means; negative: not known
  double sleep_cost_ns_ = 0;                                   // K
  int64_t spun_since_sleep_ns_ = 0;
  double saved_ns_;          // by spins, less what spins in vain have cost
  double late_cost_ns_ = 0;  // mean over the last spins
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DOORBELL_SPIN_BUDGET_H_
