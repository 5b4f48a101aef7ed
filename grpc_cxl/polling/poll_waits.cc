// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/polling/poll_waits.h"

#include <cstddef>

#include "absl/time/time.h"

namespace grpc_cxl::internal {

namespace {

// Each costs some 50 ns a wait. Nobody needs so many.
constexpr size_t kMostBudgets = 16;

const WaitTerms kNone{.policy = WaitPolicy::kPark};  // as Pollable::wait()

}  // namespace

const SpinBudget* PollWaits::Budget(WaitTerms terms) {
  terms.max_spin = absl::Trunc(terms.max_spin, absl::Microseconds(1));
  for (const auto& [its, budget] : budgets_) {
    if (its == terms) return budget.get();
  }
  if (budgets_.size() == kMostBudgets) return &park_;
  // Handshakes and watches have none of their own, and come before connections.
  if (budgets_.empty() || budgets_[shown_].first == kNone) {
    shown_ = budgets_.size();
    figures_.policy.store(static_cast<int>(terms.policy), std::memory_order_relaxed);
  }
  return budgets_.emplace_back(terms, std::make_unique<SpinBudget>(terms)).second.get();
}

void PollWaits::Begin(int64_t now_ns) {
  begin_ns_ = now_ns;
  waiting_ = false;
  past_ = {};
}

void PollWaits::Worked(int64_t look_ns, int64_t now_ns) {
  if (waiting_) {
    past_.total_ns = look_ns - begin_ns_;
    if (!past_.slept) past_.spun_ns = past_.total_ns - past_.away_ns;
    past_.work_ns = now_ns - look_ns;
    for (const auto& [terms, budget] : budgets_) budget->Waited(past_);
    figures_.waits.AddAlone();
    if (past_.slept) figures_.sleeps.AddAlone();
    if (!budgets_.empty()) {
      const SpinBudget& first = *budgets_[shown_].second;
      figures_.wake_up_ns.store(first.wake_up_ns(), std::memory_order_relaxed);
      figures_.spin_ns.store(first.nanoseconds(), std::memory_order_relaxed);
    }
  }
  Begin(now_ns);
}

void PollWaits::Yielded(int64_t away_ns) {
  past_.away_ns += away_ns;
  past_.unseen_ns = away_ns;
}

void PollWaits::Slept(int64_t from_ns, int64_t woken_ns, int64_t to_ns) {
  waiting_ = true;  // also where the thread has not looked once more since its last work
  // A nap may have begun before the last work of another pollable.
  from_ns = std::max(from_ns, begin_ns_ + past_.away_ns);
  if (!past_.slept) past_.spun_ns = from_ns - begin_ns_ - past_.away_ns;
  past_.slept = true;
  past_.unseen_ns = 0;
  past_.woken_ns = woken_ns >= from_ns && woken_ns <= to_ns ? woken_ns - begin_ns_ : -1;
}

}  // namespace grpc_cxl::internal
