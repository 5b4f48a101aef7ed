// SPDX-License-Identifier: Apache-2.0
// Proves how a spin budget starts, what it takes from a stamp, and what limits it. What it costs on
// many machines is proved by wait_simulation_test. And how naps grow.

#include "grpc_cxl/doorbell/spin_budget.h"

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"
#include "grpc_cxl/doorbell/back_off.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

constexpr int64_t kUs = 1000;

PastWait Slept(int64_t wait_us, int64_t wake_up_us, int64_t spun_us = 0) {
  return {.total_ns = (wait_us + wake_up_us) * kUs,
          .spun_ns = spun_us * kUs,
          .slept = true,
          .woken_ns = wait_us * kUs};
}

SpinBudget Adaptive(absl::Duration most = absl::Milliseconds(1)) {
  return SpinBudget(WaitTerms{.max_spin = most});
}

// The budget's waits are all `wait_us` long. Returns what it spins at the end, in us.
int64_t After(SpinBudget& budget, int waits, int64_t wait_us, int64_t wake_up_us) {
  for (int i = 0; i < waits; ++i) {
    const int64_t spin_us = budget.nanoseconds() / kUs;
    if (spin_us < wait_us) {
      budget.Waited(Slept(wait_us, wake_up_us, spin_us));
    } else {
      budget.Waited({.total_ns = wait_us * kUs, .spun_ns = wait_us * kUs});
    }
  }
  return budget.nanoseconds() / kUs;
}

TEST(SpinBudgetTest, WithoutAdaptionTheBudgetStays) {
  for (const absl::Duration most :
       {absl::ZeroDuration(), absl::Microseconds(50), absl::InfiniteDuration()}) {
    SpinBudget spin(WaitPolicy::kSpin, most), park(WaitPolicy::kPark, most);
    for (SpinBudget* budget : {&spin, &park}) After(*budget, 10, 5000, 3);
    EXPECT_EQ(spin.nanoseconds(), absl::ToInt64Nanoseconds(most));
    EXPECT_EQ(park.nanoseconds(), 0);
  }
}

TEST(SpinBudgetTest, OneWakeUpTellsWhetherSpinningPays) {
  for (const auto& [wait_us, wake_up_us] : {std::pair{20, 60}, {100, 60}, {20, 8}}) {
    SpinBudget budget = Adaptive();
    EXPECT_EQ(budget.nanoseconds(), 0) << "nothing is known";
    const int64_t spin_us = After(budget, 1, wait_us, wake_up_us);
    EXPECT_GE(spin_us, wait_us);
    EXPECT_LE(spin_us, 2 * wait_us);
  }
  for (const auto& [wait_us, wake_up_us] : {std::pair{200, 60}, {30, 8}, {10'000, 150}}) {
    SpinBudget budget = Adaptive();
    EXPECT_EQ(After(budget, 50, wait_us, wake_up_us), 0);
  }
}

// The other thread sleeps, too, and its wake-ups are part of the wait, unless this one spins.
TEST(SpinBudgetTest, ATrialFindsThatWaitsBecomeShort) {
  SpinBudget budget = Adaptive();
  int64_t wait_us = 110;
  for (int i = 0; i < 100; ++i) {
    const int64_t spin_us = budget.nanoseconds() / kUs;
    const bool found = spin_us >= wait_us;
    budget.Waited(found ? PastWait{.total_ns = wait_us * kUs, .spun_ns = wait_us * kUs}
                        : Slept(wait_us, 10, spin_us));
    wait_us = found ? 18 : 110;
  }
  EXPECT_GE(budget.nanoseconds(), 18 * kUs);
  EXPECT_LE(budget.nanoseconds(), 40 * kUs);
}

TEST(SpinBudgetTest, TrialsInVainCostLittle) {
  constexpr int kWaits = 100'000;
  SpinBudget budget = Adaptive();
  int64_t spun_us = 0;
  for (int i = 0; i < kWaits; ++i) {
    const int64_t spin_us = std::min<int64_t>(budget.nanoseconds() / kUs, 110);
    spun_us += spin_us;
    budget.Waited(spin_us < 110 ? Slept(110, 10, spin_us)
                                : PastWait{.total_ns = 110 * kUs, .spun_ns = 110 * kUs});
  }
  EXPECT_GT(spun_us, 0);
  EXPECT_LE(spun_us, kWaits * 30 / 100) << "1 % of what sleeping costs";
}

// None where it would take the core from another thread, or longer than all spins may.
TEST(SpinBudgetTest, WhereATrialIsNotTried) {
  SpinBudget crowded = Adaptive();
  int trials = 0;
  for (int i = 0; i < 100'000; ++i) {
    if (crowded.nanoseconds() == 0) {
      crowded.Waited(Slept(30, 8));
    } else {
      ++trials;
      crowded.Waited({.total_ns = 3000 * kUs, .away_ns = 3000 * kUs, .unseen_ns = 2970 * kUs});
    }
  }
  EXPECT_GE(trials, 1);
  EXPECT_LE(trials, 8) << "each took the core from another thread for 3 ms";
  SpinBudget limited = Adaptive(absl::Microseconds(100));
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(limited.nanoseconds(), 0);
    limited.Waited(Slept(110, 60));
  }
}

TEST(SpinBudgetTest, WithoutAStampThereIsNoSpin) {
  SpinBudget budget = Adaptive();
  for (int i = 0; i < 100; ++i) budget.Waited({.total_ns = 80 * kUs, .slept = true});
  EXPECT_EQ(budget.nanoseconds(), 0);
  After(budget, 1, 20, 60);
  for (int i = 0; i < 100; ++i) budget.Waited({.total_ns = 80 * kUs, .slept = true});
  EXPECT_GE(budget.nanoseconds(), 20 * kUs) << "the latency is known from then on";
}

TEST(SpinBudgetTest, NoSpinIsLongerThanAllowed) {
  SpinBudget budget = Adaptive(absl::Microseconds(30));
  EXPECT_GE(After(budget, 10, 20, 60), 20);
  EXPECT_EQ(After(budget, 100, 40, 60), 0) << "it would not be found";
}

// A peer that stamps as it likes makes us believe that a spin pays.
TEST(SpinBudgetTest, SpinsInVainHaveALimit) {
  SpinBudget budget = Adaptive();
  constexpr int kWaits = 100'000;
  int64_t spun_us = 0;
  for (int i = 0; i < kWaits; ++i) {
    const int64_t spin_us = budget.nanoseconds() / kUs;
    spun_us += spin_us;
    PastWait lie = Slept(500, 500, spin_us);
    lie.woken_ns = i % 8 == 0 ? lie.woken_ns : 5 * kUs;
    budget.Waited(lie);
  }
  EXPECT_GT(spun_us, 0);
  // 1 % of the time asleep, and 1 % of a second at first.
  EXPECT_LE(spun_us, kWaits * 1000 / 100 + 11'000);
}

// Or the process was stopped between the stamp and its wake-up.
TEST(SpinBudgetTest, AStampThatLiesHasNoThreadSpinForLong) {
  SpinBudget budget = Adaptive();
  budget.Waited(Slept(1, /*wake_up_us=*/1'000'000));
  EXPECT_EQ(After(budget, /*waits=*/5000, /*wait_us=*/850, /*wake_up_us=*/60), 0);
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
