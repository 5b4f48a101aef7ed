// SPDX-License-Identifier: Apache-2.0
// Proves that the budget follows its contract, and that following it pays: in a model of
// waiting, where time is a number, the adaptive policy comes close to the better of always
// spinning and always sleeping, whether or not there is a core free to spin on. And how naps
// grow between looks at memory whose writer cannot wake us.

#include "grpc_cxl/doorbell/spin_budget.h"

#include <algorithm>
#include <limits>

#include "grpc_cxl/doorbell/back_off.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

constexpr absl::Duration kMost = absl::Microseconds(50);
constexpr int64_t kMostNs = 50'000;
constexpr int64_t kLongNs = 1'000'000;
constexpr int64_t kEarlyNs = 10'000;

TEST(SpinBudgetTest, WithoutAdaptionTheBudgetStays) {
  SpinBudget spin(WaitPolicy::kSpin, kMost), park(WaitPolicy::kPark, kMost);
  for (int i = 0; i < 1000; ++i) {
    for (SpinBudget* budget : {&spin, &park}) {
      i % 2 == 0 ? budget->SpinWasted() : budget->SpinFound();
      budget->SleptFor(i % 3 == 0 ? 1 : kLongNs);
    }
    ASSERT_EQ(spin.nanoseconds(), kMostNs);
    ASSERT_EQ(park.nanoseconds(), 0);
  }
}

TEST(SpinBudgetTest, NothingAndForEverAreFine) {
  for (const auto& [most, ns] : {std::pair(absl::ZeroDuration(), int64_t{0}),
                                 {-absl::Seconds(1), 0},
                                 {absl::InfiniteDuration(), std::numeric_limits<int64_t>::max()}}) {
    SpinBudget budget(WaitPolicy::kAdaptive, most);
    budget.SpinFound();
    budget.SleptFor(0);
    EXPECT_EQ(budget.nanoseconds(), ns);
  }
}

TEST(SpinBudgetTest, HalvesWithEachWasteAndDoublesWithEachFind) {
  SpinBudget budget(WaitPolicy::kAdaptive, kMost);
  EXPECT_EQ(budget.nanoseconds(), kMostNs);
  for (int64_t expected : {25'000, 12'500, 6'250, 3'125, 1'562, 0, 0}) {
    budget.SpinWasted();
    budget.SleptFor(kLongNs);
    EXPECT_EQ(budget.nanoseconds(), expected);
  }
  for (int64_t expected : {1'000, 2'000, 4'000, 8'000, 16'000, 32'000, 50'000, 50'000}) {
    budget.SpinFound();
    EXPECT_EQ(budget.nanoseconds(), expected);
  }
}

// Each try in vain makes the next twice as rare, down to a limit.
TEST(SpinBudgetTest, EarlyWakeUpsBringATry) {
  SpinBudget budget(WaitPolicy::kAdaptive, kMost);
  for (int i = 0; i < 10; ++i) budget.SpinWasted();
  budget.SleptFor(kLongNs);
  for (int wakes : {1, 2, 4, 8, 16, 32, 64, 128, 256, 256, 256}) {
    for (int i = 0; i < wakes; ++i) {
      ASSERT_EQ(budget.nanoseconds(), 0) << i << " of " << wakes;
      budget.SleptFor(kEarlyNs);
    }
    ASSERT_EQ(budget.nanoseconds(), kMostNs) << wakes;
    budget.SpinWasted();
  }
  ASSERT_EQ(budget.nanoseconds(), 0);
  for (int i = 0; i < 256; ++i) budget.SleptFor(kEarlyNs);
  budget.SpinFound();
  EXPECT_EQ(budget.nanoseconds(), kMostNs) << "a try that finds something stays";
}

// The peer's answer takes `response_ns`. On a core of its own it works while we spin; on ours
// it begins only when we sleep.
struct Model {
  int64_t response_ns;
  bool free_core;
  static constexpr int64_t kWakeUpNs = 15'000;

  // Time that `waits` answers take with `budget`.
  int64_t Run(SpinBudget budget, int waits = 100'000) const {
    int64_t total = 0;
    for (int i = 0; i < waits; ++i) {
      const int64_t spin = budget.nanoseconds();
      if (spin > 0 && free_core && response_ns <= spin) {
        total += response_ns;
        budget.SpinFound();
        continue;
      }
      if (spin > 0) budget.SpinWasted();
      const int64_t slept = (free_core ? response_ns - spin : response_ns) + kWakeUpNs;
      budget.SleptFor(slept);
      total += spin + slept;
    }
    return total;
  }
};

TEST(SpinBudgetModelTest, AdaptiveIsCloseToTheBetterOfSpinAndPark) {
  SpinBudget tired(WaitPolicy::kAdaptive, kMost);  // after a quiet time it does not spin
  for (int i = 0; i < 100; ++i) {
    tired.SpinWasted();
    tired.SleptFor(kLongNs);
  }
  for (const bool free_core : {true, false}) {
    for (const int64_t us : {1, 5, 20, 45, 55, 80, 500}) {
      const Model model{1000 * us, free_core};
      const int64_t spin = model.Run(SpinBudget(WaitPolicy::kSpin, kMost));
      const int64_t park = model.Run(SpinBudget(WaitPolicy::kPark, kMost));
      for (const SpinBudget& adaptive : {SpinBudget(WaitPolicy::kAdaptive, kMost), tired}) {
        EXPECT_LE(model.Run(adaptive), 1.02 * std::min(spin, park))
            << us << " us, " << free_core << ": spin " << spin << ", park " << park;
      }
    }
  }
}

TEST(SpinBudgetModelTest, AnIdleConnectionSoonCostsNothing) {
  const Model idle = {.response_ns = 1'000'000'000, .free_core = true};
  const int64_t asleep_only = 1000 * (idle.response_ns + Model::kWakeUpNs);
  // A thousand waits, and less than two full spins in all.
  EXPECT_LE(idle.Run(SpinBudget(WaitPolicy::kAdaptive, kMost), 1000), asleep_only + 2 * kMostNs);
}

TEST(BackOffTest, NapsDoubleUpToALimit) {
  BackOff naps;
  int64_t expected = BackOff::kShortestNs;
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(naps.Next(), expected);
    expected = std::min(2 * expected, BackOff::kLongestNs);
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
