// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/doorbell/spin_budget.h"

#include <algorithm>

namespace grpc_cxl::internal {
namespace {

// Weight of the newest wake-up in the mean latency, and of the newest work. A thread that was kept
// from the core says little about the next wake-up: none counts as more than a few times the mean.
constexpr double kNewest = 1.0 / 16;
constexpr double kOutlier = 4;
// The most that a core which slept is taken to be slow, in latencies.
constexpr double kMostSlowdown = 2;
// Weight of the newest spin in the means of what other threads cost; what fades with each sleep.
constexpr double kNewestSpin = 1.0 / 128;
constexpr double kFading = 1.0 / 1024;
// What lateness costs is known badly. A spin too many is soon known to be, a spin too few is not.
constexpr double kTolerance = 1.1;
// Of a sleep's cost: a spin that saves less is not worth the risk.
constexpr double kLeastSaving = 0.02;
// The savings that spins in vain may use up.
constexpr double kSecond = 1e9;
// No more is believed: the waker's stamp may lie, and a process may be stopped before it goes on.
constexpr double kMostLatencyNs = 300e3;
// Waits of a trial, without the first ones, in which the other thread may still have slept; and the
// waits before the next one, more after each trial in vain. A trial costs up to 8 sleeps a wait, so
// those in vain, after the first, take at most 5 % and soon less than 1 % of what sleeping costs.
constexpr int kTrial = 12;
constexpr int kTrialBegins = 2;
constexpr int kFirstTrial = 64;
constexpr int kNextTrial = 2048;
constexpr int kMostDoublings = 3;
constexpr double kTrialShare = 0.02;
constexpr double kLongestPause = 1e5;  // a process that is stopped in a trial loses much time
constexpr double kLongestTrial = 8;    // times the cost of a sleep
constexpr double kMostWaits = 0.75;
// After spinning for so long without a sleep, one measures the latency anew.
constexpr int64_t kSpunBeforeSleepNs = 1'000'000'000;

// Enters `newest` into a mean, which is negative before the first.
void Average(double newest, double* mean) {
  *mean = *mean < 0 ? newest : *mean + (std::min(newest, kOutlier * *mean + 1) - *mean) * kNewest;
}

}  // namespace

SpinBudget::SpinBudget(const WaitTerms& terms)
    : terms_(terms),
      most_ns_(std::max<int64_t>(0, absl::ToInt64Nanoseconds(terms.max_spin))),
      budget_ns_(terms.policy == WaitPolicy::kSpin ? most_ns_ : 0),
      until_trial_(kFirstTrial),
      saved_ns_(static_cast<double>(absl::ToInt64Nanoseconds(terms.idle_spin))) {}

void SpinBudget::Waited(const PastWait& wait) {
  if (terms_.policy != WaitPolicy::kAdaptive) return;
  const double lateness_ns = Learn(wait);
  LearnWork(wait);
  if (latency_ns_ < 0) return;
  sleep_cost_ns_ = (terms_.latency_weight + 1) * (latency_ns_ + Slowdown());
  Settle(wait, lateness_ns);
  spun_since_sleep_ns_ = wait.slept ? 0 : spun_since_sleep_ns_ + wait.spun_ns;
  if (trial_left_ > 0) {
    // The core that another thread had meanwhile is not free for that.
    const double lost = (1 + terms_.latency_weight) * static_cast<double>(wait.away_ns);
    const bool crowded = lost > sleep_cost_ns_;
    if (--trial_left_ > 0 && !crowded) return;
    trial_left_ = 0;
    if (crowded || Best(trial_waits_) == 0) {
      const double pause = std::min(kLongestPause, lost / (kTrialShare * sleep_cost_ns_ + 1));
      until_trial_ = std::max(kNextTrial << trials_in_vain_, static_cast<int>(pause));
      trials_in_vain_ = std::min(trials_in_vain_ + 1, kMostDoublings);
      budget_ns_ = 0;
      return;
    }
    waits_ = trial_waits_;
    trials_in_vain_ = 0;
  }
  budget_ns_ = spun_since_sleep_ns_ < kSpunBeforeSleepNs ? Best(waits_) : 0;
  if (budget_ns_ == 0 && wait.slept) budget_ns_ = TryOut();
}

int64_t SpinBudget::TryOut() {
  if (--until_trial_ > 0) return 0;
  until_trial_ = kFirstTrial;
  const int64_t spin = waits_.Most(kMostWaits);
  if (spin > most_ns_ || static_cast<double>(spin) > kLongestTrial * sleep_cost_ns_ ||
      static_cast<double>(kTrial * spin) > saved_ns_) {
    return 0;
  }
  trial_left_ = kTrial;
  trial_waits_ = {};
  return spin;
}

double SpinBudget::Learn(const PastWait& wait) {
  WaitHistogram passed_over;
  WaitHistogram& waits = trial_left_ == 0                      ? waits_
                         : trial_left_ > kTrial - kTrialBegins ? passed_over
                                                               : trial_waits_;
  if (!wait.slept) {
    // What came while another thread had the core came some time since the last look. Earlier waits
    // tell when.
    const double lateness_ns =
        std::clamp(static_cast<double>(wait.total_ns) - waits.MeanBelow(wait.total_ns), 0.0,
                   static_cast<double>(wait.unseen_ns));
    if (2 * lateness_ns <= static_cast<double>(wait.unseen_ns)) waits.Add(wait.total_ns);
    return lateness_ns;
  }
  if (wait.woken_ns >= 0) {
    waits.Add(wait.woken_ns);
    Average(std::min(static_cast<double>(wait.total_ns - wait.woken_ns), kMostLatencyNs),
            &latency_ns_);
  } else if (latency_ns_ >= 0) {
    waits.Add(std::max(wait.spun_ns, wait.total_ns - static_cast<int64_t>(latency_ns_)));
  }
  return 0;
}

void SpinBudget::LearnWork(const PastWait& wait) {
  if (wait.work_ns < 0) return;
  Average(static_cast<double>(wait.work_ns),
          wait.slept ? &work_after_sleep_ns_ : &work_after_spin_ns_);
}

double SpinBudget::Slowdown() const {
  if (work_after_sleep_ns_ < 0 || work_after_spin_ns_ < 0) return 0;
  return std::clamp(work_after_sleep_ns_ - work_after_spin_ns_, 0.0, kMostSlowdown * latency_ns_);
}

void SpinBudget::Settle(const PastWait& wait, double lateness_ns) {
  const double spun = static_cast<double>(wait.spun_ns);
  const double idle_spin = static_cast<double>(absl::ToInt64Nanoseconds(terms_.idle_spin));
  const double slept = static_cast<double>(wait.total_ns - wait.spun_ns - wait.away_ns);
  saved_ns_ += wait.slept ? idle_spin / kSecond * slept - spun : sleep_cost_ns_ - spun;
  // Below as well: a process that is stopped while it looks seems to spin for long.
  const double limit = std::max(idle_spin, static_cast<double>(most_ns_));
  saved_ns_ = std::clamp(saved_ns_, -limit, limit);
  if (budget_ns_ == 0) {
    late_cost_ns_ -= late_cost_ns_ * kFading;
    return;
  }
  late_cost_ns_ += (terms_.latency_weight * lateness_ns - late_cost_ns_) * kNewestSpin;
}

int64_t SpinBudget::Best(const WaitHistogram& waits) const {
  if (saved_ns_ < 0) return 0;
  const WaitHistogram::Choice best = waits.Cheapest(sleep_cost_ns_, most_ns_);
  const bool pays = best.cost_ns < (1 - kLeastSaving) * sleep_cost_ns_ &&
                    best.cost_ns + late_cost_ns_ < kTolerance * sleep_cost_ns_;
  return pays ? best.spin_ns : 0;
}

}  // namespace grpc_cxl::internal
