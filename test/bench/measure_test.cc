// SPDX-License-Identifier: Apache-2.0
// Proves the arithmetic of a measurement with fake callers: quantiles, the end of a round by number
// and by time, all callers busy, failures reported.

#include "bench/roles/measure.h"

#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grpc_cxl::bench {
namespace {

class FakeCaller : public Caller {
 public:
  FakeCaller(std::atomic<int>& calls, int fail_at) : calls_(calls), fail_at_(fail_at) {}

  grpc::Status Call() override {
    absl::SleepFor(absl::Milliseconds(1));
    if (++calls_ == fail_at_) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "no carrier");
    return grpc::Status::OK;
  }

  void Start(absl::AnyInvocable<void(const grpc::Status&)> done) override {
    std::thread([this, done = std::move(done)]() mutable { done(Call()); }).detach();
  }

 private:
  std::atomic<int>& calls_;
  const int fail_at_;
};

class MeasureTest : public testing::TestWithParam<const char*> {
 protected:
  absl::StatusOr<RoundResult> Run(uint64_t calls, double seconds, int callers, int fail_at = 0) {
    std::vector<std::unique_ptr<Caller>> fakes;
    for (int i = 0; i < callers; ++i) {
      fakes.push_back(std::make_unique<FakeCaller>(calls_, fail_at));
    }
    Round round;
    round.mutable_what()->set_api(GetParam());
    round.set_calls(calls);
    round.set_seconds(seconds);
    return Measure(fakes, round, getpid());
  }

  std::atomic<int> calls_ = 0;
};

TEST_P(MeasureTest, EndsAfterTheNumberOfCalls) {
  const auto result = Run(/*calls=*/30, 0, /*callers=*/3);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->calls(), 30u);
  EXPECT_EQ(calls_, 33);  // a tenth more for the warm-up
  EXPECT_GE(result->p50_us(), 1000);
  EXPECT_GE(result->p99_us(), result->p50_us());
  EXPECT_GT(result->calls_per_s(), 0);
  EXPECT_LE(result->calls_per_s(), 3000);  // three at a time, each of 1 ms or more
}

TEST_P(MeasureTest, EndsAfterTheTime) {
  const absl::Time start = absl::Now();
  const auto result = Run(0, /*seconds=*/0.05, /*callers=*/2);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(55));
  EXPECT_GE(result->calls(), 2u);
  EXPECT_LE(result->calls(), 102u);
}

TEST_P(MeasureTest, ReportsAFailedCall) {
  const auto result = Run(/*calls=*/30, 0, /*callers=*/3, /*fail_at=*/20);
  EXPECT_EQ(result.status().message(), "a call failed with status 14: no carrier");
}

INSTANTIATE_TEST_SUITE_P(Apis, MeasureTest, testing::Values("sync", "callback"));

TEST(QuantileTest, IsTheElementBelowWhichTheShareLies) {
  std::vector<double> values;
  for (int i = 100; i >= 1; --i) values.push_back(i);
  EXPECT_EQ(Quantile(values, 0.5), 51);
  EXPECT_EQ(Quantile(values, 0.99), 100);
  EXPECT_EQ(Quantile(values, 1), 100);
  EXPECT_EQ(Quantile(values, 0), 1);
  EXPECT_EQ(Median({3, 1, 2}), 2);
  EXPECT_EQ(Median({}), 0);
}

}  // namespace
}  // namespace grpc_cxl::bench
