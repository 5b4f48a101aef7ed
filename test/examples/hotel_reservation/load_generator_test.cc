// SPDX-License-Identifier: Apache-2.0
// Proves that the load generator sends its mix at its rate, and that a stall of the target shows in
// every request that it delays.

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/clock.h"
#include "examples/hotel_reservation/load_generator/open_loop.h"
#include "examples/hotel_reservation/load_generator/recorder.h"
#include "examples/hotel_reservation/load_generator/request_mix.h"
#include "examples/hotel_reservation/load_generator/scan.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hotel_reservation {
namespace {

TEST(RequestMixTest, HasTheSharesOfTheOriginal) {
  RequestMix mix(1);
  constexpr int kRequests = 100'000;
  int counts[4] = {};
  for (int i = 0; i < kRequests; ++i) ++counts[mix.Next().index()];
  const double shares[] = {0.60, 0.39, 0.005, 0.005};
  for (int kind = 0; kind < 4; ++kind) {
    EXPECT_NEAR(counts[kind], shares[kind] * kRequests, 0.01 * kRequests) << kind;
    EXPECT_GT(counts[kind], shares[kind] / 2 * kRequests) << kind;
  }
}

// Answers at once, but stalls at the tenth request, like a server that handles one request at a
// time.
class StallingTarget : public Target {
 public:
  void Send(const FrontendRequest&, Done done) override {
    if (++requests_ == 10) absl::SleepFor(absl::Milliseconds(300));
    done(absl::OkStatus());
  }

 private:
  int requests_ = 0;
};

TEST(OpenLoopTest, CountsLatencyFromTheMomentARequestWasDue) {
  StallingTarget target;
  RequestMix mix(1);
  Recorder recorder;
  EXPECT_EQ(SendAtRate(target, mix, 100, absl::Seconds(1), recorder), 100);
  LoadResult result;
  recorder.Fill(result);
  EXPECT_EQ(result.served(), 100);
  EXPECT_EQ(result.errors(), 0);
  EXPECT_GE(result.max_ms(), 300);
  // Thirty requests were due during the stall. Counted from the moment of sending, only one would
  // be slow, and the 80th percentile near 0.
  double p80 = 0;
  for (const Quantile& quantile : result.distribution()) {
    if (quantile.percent() == 80) p80 = quantile.ms();
  }
  EXPECT_GE(p80, 50);
}

TEST(OpenLoopTest, EndsWhenP99MustBeAboveTheLimit) {
  StallingTarget target;
  RequestMix mix(1);
  Recorder recorder(absl::Milliseconds(100));
  const int64_t sent = SendAtRate(target, mix, 1000, absl::Seconds(1), recorder);
  EXPECT_GE(sent, 11);  // more than ten are bad
  EXPECT_LT(sent, 300);
}

// Answers later, on another thread; knows how many requests are under way.
class CountingTarget : public Target {
 public:
  void Send(const FrontendRequest& request, Done done) override {
    EXPECT_TRUE(std::holds_alternative<SearchHotelsRequest>(request));
    most_ = std::max(most_, ++under_way_);
    std::thread([this, done = std::move(done)]() mutable {
      --under_way_;
      done(absl::OkStatus());
    }).detach();
  }
  int most() const { return most_; }

 private:
  std::atomic<int> under_way_{0};
  int most_ = 0;
};

TEST(ScanTest, SearchesWithoutAPause) {
  CountingTarget target;
  {
    Scan scan(target, /*seed=*/1, /*calls=*/8);
    while (scan.answered() < 100) absl::SleepFor(absl::Milliseconds(1));
  }
  EXPECT_LE(target.most(), 8);
  EXPECT_GE(target.most(), 1);
}

class FailingTarget : public Target {
 public:
  void Send(const FrontendRequest& request, Done done) override {
    done(std::holds_alternative<ReserveRequest>(request) ? absl::ResourceExhaustedError("full")
                                                         : absl::UnavailableError("nobody there"));
  }
};

TEST(OpenLoopTest, CountsErrorsAndNotFullHotels) {
  FailingTarget target;
  RequestMix mix(1);
  Recorder recorder;
  const int64_t sent = SendAtRate(target, mix, 20'000, absl::Milliseconds(200), recorder);
  LoadResult result;
  recorder.Fill(result);
  EXPECT_GT(result.sold_out(), 0);
  EXPECT_EQ(result.served(), result.sold_out());
  EXPECT_EQ(result.errors() + result.served(), sent);
  EXPECT_THAT(result.errors_by_text(),
              testing::Contains(testing::Key("search: UNAVAILABLE: nobody there")));
  EXPECT_EQ(result.kinds(0).kind(), "search");
  EXPECT_GT(result.kinds(0).errors(), 0);
}

}  // namespace
}  // namespace hotel_reservation
