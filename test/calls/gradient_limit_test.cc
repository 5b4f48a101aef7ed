// SPDX-License-Identifier: Apache-2.0
// The limit of a simulated server: near what the server can do at a time, wherever it begins, for
// as long as the server has too much to do; above it while there is little; and after it when the
// server becomes slower or faster.

#include "grpc_cxl/calls/gradient_limit.h"

#include <algorithm>
#include <cstdint>
#include <random>

#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

// `cores` of it work; of more calls, all take longer. `offered` calls want to run at a time.
struct Server {
  double cores;
  double call_ns = 20e6;
  GradientLimit limit = {};
  int64_t now_ns = 1'000'000'000;
  std::minstd_rand random{1};

  void Run(double seconds, double offered) {
    const int64_t end_ns = now_ns + static_cast<int64_t>(seconds * 1e9);
    std::uniform_real_distribution<double> noise(0.5, 1.5);
    while (now_ns < end_ns) {
      const double running = std::min<double>(limit.limit(), offered);
      const double took_ns = call_ns * std::max(1.0, running / cores) * noise(random);
      limit.Ended(static_cast<int64_t>(took_ns), static_cast<uint32_t>(running), now_ns);
      now_ns += static_cast<int64_t>(took_ns / running);
    }
  }
};

TEST(GradientLimitTest, IsNearWhatTheServerCanDo) {
  for (const double cores : {2, 8, 40, 300}) {
    Server server{cores};
    for (const double seconds : {60, 600}) {
      server.Run(seconds, /*offered=*/10 * cores);
      EXPECT_GE(server.limit.limit(), cores / 2) << cores;
      EXPECT_LE(server.limit.limit(), 2 * cores + 16) << cores;
    }
  }
}

TEST(GradientLimitTest, FollowsTheServer) {
  Server server{8};
  server.Run(60, 100);
  server.call_ns *= 20;  // another kind of calls: as many at a time
  server.Run(120, 100);
  EXPECT_GE(server.limit.limit(), 4u);
  EXPECT_LE(server.limit.limit(), 32u);
  server.cores = 64;
  server.Run(120, 1000);
  EXPECT_GE(server.limit.limit(), 32u);
}

TEST(GradientLimitTest, LittleToDoDoesNotLowerIt) {
  Server server{8};
  const uint32_t before = server.limit.limit();
  server.Run(60, 2);
  EXPECT_EQ(server.limit.limit(), before);
}

TEST(GradientLimitTest, StaysBelowTheMost) {
  Server server{100};
  server.limit.SetMost(30);
  server.Run(60, 1000);
  EXPECT_LE(server.limit.limit(), 30u);
  server.limit.SetMost(0);
  EXPECT_EQ(server.limit.limit(), 1u);
}

}  // namespace
}  // namespace grpc_cxl::internal
