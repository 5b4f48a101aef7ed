// SPDX-License-Identifier: Apache-2.0
// Proves how a client chooses between replicas, by numbers and by simulation: nothing here knows a
// clock, or waits.
#include "grpc_cxl/direct/replica_score.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <queue>
#include <random>
#include <vector>

#include "grpc_cxl/calls/call_layout.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kSecond = 1000 * kMs;

TEST(PeakEwmaTest, APeakCountsAtOnceAndIsForgottenSlowly) {
  PeakEwma latency;
  EXPECT_EQ(latency.At(kSecond), 0);
  latency.Observe(100, 5 * kSecond);
  EXPECT_EQ(latency.At(5 * kSecond), 100);
  latency.Observe(5000, 5 * kSecond + 10);
  EXPECT_EQ(latency.At(5 * kSecond + 10), 5000);
  // Towards later ones by 1 - 1/e in each kDecayNs.
  latency.Observe(100, 6 * kSecond + 10);
  EXPECT_NEAR(latency.At(6 * kSecond + 10), 100 + 4900 * 0.3679, 1);
  // And towards 0 without any.
  EXPECT_NEAR(latency.At(7 * kSecond + 10), (100 + 4900 * 0.3679) * 0.3679, 1);
  EXPECT_LT(latency.At(30 * kSecond), 1e-6);
  // A clock that another thread has read earlier.
  latency.Observe(50, 5 * kSecond);
  EXPECT_GE(latency.At(5 * kSecond), 50);
}

TEST(ReplicaScoreTest, ANewReplicaIsTriedOnceASilentOneIsShunned) {
  ReplicaScore fresh, known;
  known.Answered(20'000, 0, kSecond);
  EXPECT_LT(fresh.At(0, 0, kSecond), known.At(0, 0, kSecond));
  EXPECT_GT(fresh.At(1, 0, kSecond), known.At(50, 50, kSecond));
  // As slow as it has been silent, while it owes something.
  EXPECT_LT(known.At(0, 0, kSecond + 9 * kMs), 20'001);
  EXPECT_NEAR(known.At(1, 0, kSecond + 19 * kMs), 2 * 10 * kMs, 1);
  known.Heard(kSecond + 19 * kMs);
  EXPECT_LT(known.At(1, 0, kSecond + 19 * kMs), 2 * 20'001);
}

TEST(ReplicaScoreTest, OneThatIsSilentForMuchLongerThanUsualIsStuck) {
  ReplicaScore score;
  score.At(0, 0, kSecond);  // its first call begins
  EXPECT_EQ(score.StuckAt(kSecond + kMs), kSecond + ReplicaScore::kUnknownNs);
  score.Answered(10 * kMs, 9, kSecond + 10 * kMs);  // the time of the call, not its share
  EXPECT_EQ(score.StuckAt(kSecond + 10 * kMs), kSecond + 50 * kMs);
  score.Answered(100'000, 0, 20 * kSecond);
  EXPECT_EQ(score.StuckAt(20 * kSecond), 20 * kSecond + ReplicaScore::kLeastNs);
  score.Answered(60 * kSecond, 0, 21 * kSecond);
  EXPECT_EQ(score.StuckAt(21 * kSecond), 21 * kSecond + ReplicaScore::kMostNs);
  score.Heard(22 * kSecond);
  EXPECT_EQ(score.StuckAt(22 * kSecond), 22 * kSecond + ReplicaScore::kMostNs);
  score.At(0, 0, 30 * kSecond);  // it owed nothing meanwhile
  EXPECT_GE(score.StuckAt(30 * kSecond), 30 * kSecond + ReplicaScore::kLeastNs);
}

TEST(ReplicaScoreTest, WhateverTheServerSaysItIsOnlyAScore) {
  ReplicaScore score;
  score.Answered(4000, 3, kSecond);
  EXPECT_EQ(score.At(3, 7, kSecond), 8000);
  EXPECT_EQ(score.At(9, 7, kSecond), 10'000);
  const double most = score.At(0, std::numeric_limits<uint32_t>::max(), kSecond);
  EXPECT_LT(most, 1e10);
  EXPECT_EQ(ScoreOf(1000, 3, /*weight=*/2), 2000);

  const uint64_t word = MakeLoadWord(7, 100 * kSecond);
  EXPECT_EQ(LoadIn(word, 100 * kSecond + 50 * kMs), 7u);
  EXPECT_EQ(LoadIn(word, 100 * kSecond + 150 * kMs), 0u);  // too old
  EXPECT_EQ(LoadIn(word, 100 * kSecond - 5 * kMs), 0u);    // of the future
  EXPECT_EQ(LoadIn(0, 100 * kSecond), 0u);
  // The time wraps after 52 days.
  constexpr int64_t kWrap = int64_t{1} << 52;
  EXPECT_EQ(LoadIn(MakeLoadWord(7, kWrap - 1), kWrap + 1), 7u);
}

TEST(ChooseReplicaTest, TheBetterOfTwoAtRandomOrOfThreeWhereOneIsNoChoice) {
  std::minstd_rand random(1);
  std::vector<double> scores = {1, 2, 3, 4};
  std::vector<int> chosen(4);
  const auto choose = [&] {
    return ChooseReplica(scores.size(), random, [&](size_t i) {
      return scores[i] < 0 ? std::nullopt : std::optional(scores[i]);
    });
  };
  for (int i = 0; i < 60'000; ++i) ++chosen[*choose()];
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(chosen[i], (3 - i) * 10'000, 600);  // of six pairs
  scores = {-1, 1, 1, 100};
  chosen.assign(4, 0);
  for (int i = 0; i < 60'000; ++i) ++chosen[*choose()];
  EXPECT_NEAR(chosen[1], 30'000, 600);
  EXPECT_EQ(chosen[0] + chosen[3], 0);
  scores = {-1, -1, -1, 100};
  EXPECT_EQ(choose(), 3u);
  scores = {-1};
  EXPECT_EQ(choose(), std::nullopt);
}

// Four servers with one thread each, calls at random times, at 60 % of what the healthy ones can
// do. Each server takes 100 us for a call, but the last one as `slow` says.
class Simulation {
 public:
  // The 99th percentile of the calls' latencies, and how many calls the last server got.
  struct Result {
    double p99_us, last_share;
  };
  Result Run(int servers, int64_t (*slow)(int64_t now_ns), bool by_score) {
    struct Server {
      ReplicaScore score;
      uint32_t under_way = 0;
      int64_t free_at = 0;
      int calls = 0;
    };
    std::vector<Server> all(servers);
    struct End {
      int64_t at, began;
      int server;
      uint32_t under_way;  // when it began
      bool operator<(const End& other) const { return at > other.at; }
    };
    std::priority_queue<End> ends;
    std::vector<int64_t> latencies;
    std::minstd_rand random(1);
    std::exponential_distribution<double> pause(0.6 * 3 / 100'000);
    int64_t now = kSecond;
    const auto end_until = [&](int64_t until) {
      for (; !ends.empty() && ends.top().at <= until; ends.pop()) {
        const auto [at, began, server, under_way] = ends.top();
        --all[server].under_way;
        all[server].score.Answered(at - began, under_way, at);
        latencies.push_back(at - began);
      }
    };
    for (int i = 0; i < 100'000; ++i) {
      now += static_cast<int64_t>(pause(random));
      end_until(now);
      int chosen = i % servers;  // round robin
      if (by_score) {
        chosen = static_cast<int>(*ChooseReplica(servers, random, [&](size_t s) {
          return std::optional(all[s].score.At(all[s].under_way, all[s].under_way, now));
        }));
      }
      Server& server = all[chosen];
      ++server.calls;
      server.free_at = std::max(now, server.free_at);
      server.free_at += chosen == 3 ? slow(server.free_at) : 100'000;
      ends.push({server.free_at, now, chosen, server.under_way++});
    }
    end_until(std::numeric_limits<int64_t>::max());
    std::sort(latencies.begin(), latencies.end());
    return {static_cast<double>(latencies[latencies.size() * 99 / 100]) / 1000,
            all.back().calls / 100'000.0};
  }
};

TEST(ReplicaScoreTest, OneThatIsTenTimesSlowerGetsFewCalls) {
  const auto slow = [](int64_t) -> int64_t { return 1'000'000; };
  const double without = Simulation().Run(3, slow, true).p99_us;
  const Simulation::Result with = Simulation().Run(4, slow, true);
  EXPECT_LT(with.p99_us, 1.5 * without);
  EXPECT_LT(with.last_share, 0.02);
  EXPECT_LT(with.p99_us, 0.3 * Simulation().Run(4, slow, false).p99_us);
}

TEST(ReplicaScoreTest, OneThatStopsFor200MsEachSecondHurtsFewCalls) {
  // A call that comes while it stands waits until it goes on.
  const auto stops = [](int64_t now) -> int64_t {
    const int64_t in = now % kSecond;
    return in < 200 * kMs ? 200 * kMs - in + 100'000 : 100'000;
  };
  const double without = Simulation().Run(3, stops, true).p99_us;
  const Simulation::Result with = Simulation().Run(4, stops, true);
  EXPECT_LT(with.p99_us, 1.5 * without);
  EXPECT_LT(with.p99_us, 0.3 * Simulation().Run(4, stops, false).p99_us);
}

}  // namespace
}  // namespace grpc_cxl::internal
