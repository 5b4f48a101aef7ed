// SPDX-License-Identifier: Apache-2.0
// Proves that a budget lends neither more connections nor more bytes than it has, says
// which limit is in the way and the numbers, and has everything back when the leases end.

#include "grpc_cxl/event_engine/connection_budget.h"

#include <limits>
#include <memory>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

using ::testing::HasSubstr;
using Lease = ConnectionBudget::Lease;
using Refused = ConnectionBudget::Refused;
using Short = ConnectionBudget::Short;

bool Taken(const std::variant<Lease, Refused>& result) {
  return std::holds_alternative<Lease>(result);
}

TEST(ConnectionBudgetTest, LendsAsManyConnectionsAndBytesAsItHas) {
  const auto budget = std::make_shared<ConnectionBudget>(2, 1000);
  const auto expect_refused = [&](size_t bytes, Short of, const char* reason) {
    const auto result = budget->Take(bytes, "");
    ASSERT_FALSE(Taken(result));
    EXPECT_EQ(std::get<Refused>(result).of, of);
    EXPECT_THAT(std::get<Refused>(result).reason, HasSubstr(reason));
  };
  const auto first = budget->Take(600, "");
  ASSERT_TRUE(Taken(first));
  expect_refused(401, Short::kArenaBytes, "600 of 1000");
  expect_refused(std::numeric_limits<size_t>::max(), Short::kArenaBytes, "600 of 1000");
  {
    const auto second = budget->Take(400, "");
    ASSERT_TRUE(Taken(second));
    expect_refused(0, Short::kConnections, "limit of 2 connections");
  }
  EXPECT_TRUE(Taken(budget->Take(400, "")));
}

TEST(ConnectionBudgetTest, AQuotaIsAQuarterAndNobodyElses) {
  const auto budget = std::make_shared<ConnectionBudget>(8, 1000);
  const auto one = budget->Take(100, "uid=1");
  {
    const auto two = budget->Take(100, "uid=1");
    ASSERT_TRUE(Taken(one) && Taken(two));
    const auto third = budget->Take(1, "uid=1");
    ASSERT_FALSE(Taken(third));
    EXPECT_THAT(std::get<Refused>(third).reason, HasSubstr("uid=1 have 2 connections"));
    EXPECT_TRUE(Taken(budget->Take(100, "uid=2")));
    EXPECT_TRUE(Taken(budget->Take(700, "")));
  }
  const auto bytes = budget->Take(151, "uid=1");
  ASSERT_FALSE(Taken(bytes));
  EXPECT_EQ(std::get<Refused>(bytes).of, Short::kArenaBytes);
  EXPECT_TRUE(Taken(budget->Take(150, "uid=1")));
  // One arena may be larger than a quarter; a second one is not taken.
  const auto large = budget->Take(300, "uid=3");
  ASSERT_TRUE(Taken(large));
  EXPECT_FALSE(Taken(budget->Take(1, "uid=3")));
  // A quarter of little is still one connection.
  EXPECT_TRUE(Taken(std::make_shared<ConnectionBudget>(1, 100)->Take(100, "uid=1")));
}

TEST(ConnectionBudgetTest, ConnectionsGrowUpToHalf) {
  const auto budget = std::make_shared<ConnectionBudget>(8, 1000);
  auto one = budget->Take(250, "");
  Lease& lease = std::get<Lease>(one);
  EXPECT_TRUE(lease.Grow(250));
  EXPECT_FALSE(lease.Grow(1)) << "the rest is for new connections";
  EXPECT_FALSE(Taken(budget->Take(1, "", 0.5)));
  EXPECT_TRUE(Taken(budget->Take(500, "")));
  lease.Shrink(200);
  auto two = budget->Take(100, "uid=1");
  EXPECT_TRUE(std::get<Lease>(two).Grow(25)) << "half of its quarter";
  EXPECT_FALSE(std::get<Lease>(two).Grow(1));
  { const Lease dropped = std::get<Lease>(std::move(one)); }
  EXPECT_TRUE(Taken(budget->Take(1000 - 125, "")));
}

TEST(ConnectionBudgetTest, ManyThreadsTakeAndGrow) {
  const auto budget = std::make_shared<ConnectionBudget>(64, 64'000);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&budget, quota = i % 2 == 0 ? "uid=1" : ""] {
      for (int round = 0; round < 2000; ++round) {
        auto taken = budget->Take(1000, quota);
        if (!Taken(taken)) continue;
        if (std::get<Lease>(taken).Grow(500)) std::get<Lease>(taken).Shrink(300);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(Taken(budget->Take(64'000, "")));
}

TEST(ConnectionBudgetTest, WithoutALimitAQuarterOfTheMemoryThereIs) {
  const auto budget = std::make_shared<ConnectionBudget>(8, 0);
  const auto too_much = budget->Take(size_t{1} << 50, "");
  ASSERT_FALSE(Taken(too_much));
  EXPECT_THAT(std::get<Refused>(too_much).reason, HasSubstr("a quarter of the memory"));
  EXPECT_TRUE(Taken(budget->Take(1 << 20, "")));
}

TEST(ConnectionBudgetTest, ALeaseThatMovesIsGivenBackOnceAndOutlivesItsOwner) {
  auto budget = std::make_shared<ConnectionBudget>(1, 1000);
  {
    auto taken = budget->Take(1000, "");
    const Lease lease = std::get<Lease>(std::move(taken));
    EXPECT_FALSE(Taken(budget->Take(0, "")));
  }
  const auto lease = budget->Take(1000, "");
  EXPECT_TRUE(Taken(lease));
  budget.reset();
}

}  // namespace
}  // namespace grpc_cxl::internal
