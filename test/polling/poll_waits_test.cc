// SPDX-License-Identifier: Apache-2.0
// Proves what a polling thread tells its spin budgets of a wait: when it began and ended, and only
// stamps that can be true.

#include "grpc_cxl/polling/poll_waits.h"

#include <cstdint>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

constexpr int64_t kUs = 1000;
const WaitTerms kPark{.policy = WaitPolicy::kPark, .max_spin = absl::ZeroDuration()};

class PollWaitsTest : public ::testing::Test {
 protected:
  // The thread sleeps at once, is told that it was woken after `stamp_us`, goes on after
  // `total_us`, and works for 5 us.
  void Sleep(int64_t stamp_us, int64_t total_us) {
    waits_.FoundNothing();
    waits_.Slept(now_, now_ + stamp_us * kUs, now_ + total_us * kUs);
    now_ += total_us * kUs;
    waits_.Worked(now_, now_ + 5 * kUs);
    now_ += 5 * kUs;
  }

  int64_t now_ = 1'000'000 * kUs;
  PollWaits waits_;
  const SpinBudget* const budget_ = waits_.Budget(WaitTerms());

  PollWaitsTest() { waits_.Begin(now_); }
};

TEST_F(PollWaitsTest, ASleepTellsHowLongToSpin) {
  Sleep(20, 80);
  EXPECT_GE(budget_->nanoseconds(), 20 * kUs);
  EXPECT_LE(budget_->nanoseconds(), 30 * kUs);
  EXPECT_EQ(waits_.idle_ns(now_ + 7), 7);
}

// Of a thread that does not look once more between its work and its sleep.
TEST_F(PollWaitsTest, ASleepRightAfterWorkIsAWait) {
  waits_.Slept(now_, now_ + 20 * kUs, now_ + 80 * kUs);
  waits_.Worked(now_ + 80 * kUs, now_ + 85 * kUs);
  EXPECT_EQ(waits_.figures().sleeps.value(), 1);
  EXPECT_GE(budget_->nanoseconds(), 20 * kUs);
}

TEST_F(PollWaitsTest, OnlyTimesWithinTheSleepCount) {
  for (const int64_t stamp_us : {-1, 81, -1'000'000, 1'000'000'000}) Sleep(stamp_us, 80);
  EXPECT_EQ(budget_->nanoseconds(), 0);
}

TEST_F(PollWaitsTest, WorkAfterWorkIsNoWait) {
  Sleep(20, 80);
  for (int i = 0; i < 1000; ++i) waits_.Worked(now_, now_ + 1);
  EXPECT_GE(budget_->nanoseconds(), 20 * kUs);
}

// What has no terms of its own, as a handshake, comes before the first connection.
TEST(PollFiguresTest, AreThoseOfTheFirstConnection) {
  PollWaits waits;
  waits.Budget({.policy = WaitPolicy::kPark});
  EXPECT_EQ(waits.figures().policy, static_cast<int>(WaitPolicy::kPark));
  for (const WaitPolicy policy : {WaitPolicy::kAdaptive, WaitPolicy::kSpin}) {
    waits.Budget({.policy = policy});
    EXPECT_EQ(waits.figures().policy, static_cast<int>(WaitPolicy::kAdaptive));
  }
}

TEST_F(PollWaitsTest, EachSetOfTermsHasItsBudget) {
  const SpinBudget* const parks = waits_.Budget(kPark);
  Sleep(20, 80);
  EXPECT_EQ(parks->nanoseconds(), 0);
  EXPECT_EQ(waits_.Budget(WaitTerms()), budget_);
  EXPECT_EQ(waits_.Budget(kPark), parks);
  for (int i = 1; i < 100; ++i) {
    EXPECT_NE(waits_.Budget(WaitTerms{.max_spin = absl::Microseconds(i)}), nullptr);
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
