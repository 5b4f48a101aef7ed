// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/doorbell/spin_budget.h"

#include <algorithm>

namespace grpc_cxl::internal {
namespace {

// Below this a spin saves nothing: looking at the memory once takes as long.
constexpr int64_t kFloorNs = 1000;
// How much of a sleep may be the wake-up itself. Rather too much: a try too many costs
// little, a try never made costs every wake-up from then on.
constexpr int64_t kWakeUpNs = 40'000;
// After ever more spins in vain, this many early wake-ups before one more try: a try costs
// at most the full budget, which over so many sleeps is less than 1 % of their cost.
constexpr int kMostEarlyWakes = 256;

}  // namespace

SpinBudget::SpinBudget(WaitPolicy policy, absl::Duration most)
    : policy_(policy),
      most_ns_(std::max<int64_t>(0, absl::ToInt64Nanoseconds(most))),
      budget_ns_(policy == WaitPolicy::kPark ? 0 : most_ns_) {}

void SpinBudget::SpinFound() {
  if (policy_ != WaitPolicy::kAdaptive) return;
  trying_ = false;
  early_wakes_ = 0;
  try_after_ = std::max(1, try_after_ / 2);
  // Divided, not doubled: `most` may be as large as the type.
  budget_ns_ =
      budget_ns_ > most_ns_ / 2 ? most_ns_ : std::min(most_ns_, std::max(kFloorNs, 2 * budget_ns_));
}

void SpinBudget::SpinWasted() {
  if (policy_ != WaitPolicy::kAdaptive) return;
  if (trying_) {
    trying_ = false;
    try_after_ = std::min(kMostEarlyWakes, 2 * try_after_);
    budget_ns_ = 0;
    return;
  }
  budget_ns_ /= 2;
  if (budget_ns_ < kFloorNs) budget_ns_ = 0;
}

void SpinBudget::SleptFor(int64_t nanoseconds) {
  if (policy_ != WaitPolicy::kAdaptive || nanoseconds - kWakeUpNs >= most_ns_) return;
  if (++early_wakes_ < try_after_) return;
  early_wakes_ = 0;
  trying_ = true;
  budget_ns_ = most_ns_;
}

}  // namespace grpc_cxl::internal
