// Proves that the budget follows its contract, and that following it pays: in a model of
// waiting, where time is a number, the adaptive policy comes close to the better of always
// spinning and always sleeping, whether or not there is a core free to spin on.

#include "grpc_cxl/doorbell/spin_budget.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

constexpr absl::Duration kMost = absl::Microseconds(50);
constexpr int64_t kMostNs = 50'000;
constexpr int64_t kLongNs = 1'000'000;

TEST(SpinBudgetTest, SpinAlwaysSpinsForAllOfIt) {
  SpinBudget budget(WaitPolicy::kSpin, kMost);
  for (int i = 0; i < 100; ++i) {
    budget.SpinWasted();
    budget.SleptFor(kLongNs);
    EXPECT_EQ(budget.nanoseconds(), kMostNs);
  }
}

TEST(SpinBudgetTest, ParkNeverSpins) {
  SpinBudget budget(WaitPolicy::kPark, kMost);
  EXPECT_EQ(budget.nanoseconds(), 0);
  for (int i = 0; i < 1000; ++i) {
    budget.SleptFor(1);
    budget.SpinFound();
    EXPECT_EQ(budget.nanoseconds(), 0);
  }
}

TEST(SpinBudgetTest, NothingToSpinForIsNothing) {
  for (absl::Duration most : {absl::ZeroDuration(), -absl::Seconds(1)}) {
    SpinBudget budget(WaitPolicy::kAdaptive, most);
    budget.SpinFound();
    budget.SleptFor(0);
    EXPECT_EQ(budget.nanoseconds(), 0);
  }
}

TEST(SpinBudgetTest, ForeverIsFine) {
  SpinBudget budget(WaitPolicy::kAdaptive, absl::InfiniteDuration());
  budget.SpinFound();
  budget.SleptFor(kLongNs);
  EXPECT_EQ(budget.nanoseconds(), std::numeric_limits<int64_t>::max());
}

TEST(SpinBudgetTest, HalvesWithEachWasteDownToZero) {
  SpinBudget budget(WaitPolicy::kAdaptive, kMost);
  EXPECT_EQ(budget.nanoseconds(), kMostNs);
  for (int64_t expected : {25'000, 12'500, 6'250, 3'125, 1'562, 0, 0}) {
    budget.SpinWasted();
    budget.SleptFor(kLongNs);
    EXPECT_EQ(budget.nanoseconds(), expected);
  }
}

TEST(SpinBudgetTest, DoublesWithEachFindUpToTheMost) {
  SpinBudget budget(WaitPolicy::kAdaptive, kMost);
  for (int i = 0; i < 4; ++i) budget.SpinWasted();
  for (int64_t expected : {6'250, 12'500, 25'000, 50'000, 50'000}) {
    budget.SpinFound();
    EXPECT_EQ(budget.nanoseconds(), expected);
  }
}

TEST(SpinBudgetTest, AnEarlyWakeUpBringsATry) {
  SpinBudget budget(WaitPolicy::kAdaptive, kMost);
  for (int i = 0; i < 10; ++i) budget.SpinWasted();
  ASSERT_EQ(budget.nanoseconds(), 0);
  budget.SleptFor(kLongNs);
  EXPECT_EQ(budget.nanoseconds(), 0);
  budget.SleptFor(10'000);
  EXPECT_EQ(budget.nanoseconds(), kMostNs);
  budget.SpinFound();
  EXPECT_EQ(budget.nanoseconds(), kMostNs);
}

TEST(SpinBudgetTest, EachTryInVainMakesTheNextTwiceAsRareDownToALimit) {
  SpinBudget budget(WaitPolicy::kAdaptive, kMost);
  for (int i = 0; i < 10; ++i) budget.SpinWasted();
  for (int wakes : {1, 2, 4, 8, 16, 32, 64, 128, 256, 256, 256}) {
    for (int i = 1; i < wakes; ++i) {
      budget.SleptFor(10'000);
      ASSERT_EQ(budget.nanoseconds(), 0) << i << " of " << wakes;
    }
    budget.SleptFor(10'000);
    ASSERT_EQ(budget.nanoseconds(), kMostNs) << wakes;
    budget.SpinWasted();
    ASSERT_EQ(budget.nanoseconds(), 0);
  }
}

// A model of waiting. The peer's answer takes `response_ns`. On a core of its own it works
// while we spin; on ours it begins only when we sleep.
struct Model {
  int64_t response_ns;
  bool free_core;
  static constexpr int64_t kWakeUpNs = 15'000;

  // Time that `waits` answers take with `budget`.
  int64_t Run(SpinBudget budget, int waits) const {
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

class SpinBudgetModelTest : public ::testing::TestWithParam<Model> {};

TEST_P(SpinBudgetModelTest, AdaptiveIsCloseToTheBetterOfSpinAndPark) {
  constexpr int kWaits = 100'000;
  const Model& model = GetParam();
  const int64_t spin = model.Run(SpinBudget(WaitPolicy::kSpin, kMost), kWaits);
  const int64_t park = model.Run(SpinBudget(WaitPolicy::kPark, kMost), kWaits);
  const int64_t adaptive = model.Run(SpinBudget(WaitPolicy::kAdaptive, kMost), kWaits);
  EXPECT_LE(adaptive, 1.02 * std::min(spin, park)) << "spin " << spin << ", park " << park;

  // Also after a quiet time, in which it forgot to spin.
  SpinBudget tired(WaitPolicy::kAdaptive, kMost);
  for (int i = 0; i < 100; ++i) {
    tired.SpinWasted();
    tired.SleptFor(kLongNs);
  }
  EXPECT_LE(model.Run(tired, kWaits), 1.02 * std::min(spin, park));
}

INSTANTIATE_TEST_SUITE_P(
    Models, SpinBudgetModelTest,
    ::testing::Values(Model{1'000, true}, Model{5'000, true}, Model{20'000, true},
                      Model{45'000, true}, Model{55'000, true}, Model{80'000, true},
                      Model{500'000, true}, Model{1'000, false}, Model{5'000, false},
                      Model{20'000, false}, Model{45'000, false}, Model{500'000, false}),
    [](const ::testing::TestParamInfo<Model>& info) {
      return absl::StrCat(info.param.response_ns, info.param.free_core ? "_alone" : "_shared");
    });

TEST(SpinBudgetModelTest, AnIdleConnectionSoonCostsNothing) {
  const Model idle = {.response_ns = 1'000'000'000, .free_core = true};
  const int64_t asleep_only = 1000 * (idle.response_ns + Model::kWakeUpNs);
  // A thousand waits, and less than two full spins in all.
  EXPECT_LE(idle.Run(SpinBudget(WaitPolicy::kAdaptive, kMost), 1000), asleep_only + 2 * kMostNs);
}

}  // namespace
}  // namespace grpc_cxl::internal
