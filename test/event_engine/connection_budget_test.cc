// Proves that a budget lends neither more connections nor more bytes than it has, says
// which limit is in the way and the numbers, has everything back when the leases end, and
// keeps its count when many threads take and give back.

#include "grpc_cxl/event_engine/connection_budget.h"

#include <atomic>
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

TEST(ConnectionBudgetTest, AsManyConnectionsAsItHas) {
  const auto budget = std::make_shared<ConnectionBudget>(2, 1000);
  auto first = budget->Take(1);
  {
    auto second = budget->Take(1);
    ASSERT_TRUE(Taken(first) && Taken(second));
    const auto third = budget->Take(1);
    ASSERT_FALSE(Taken(third));
    EXPECT_EQ(std::get<Refused>(third).of, Short::kConnections);
    EXPECT_THAT(std::get<Refused>(third).reason, HasSubstr("limit of 2 connections"));
  }
  EXPECT_TRUE(Taken(budget->Take(1)));
}

TEST(ConnectionBudgetTest, AsManyBytesAsItHas) {
  const auto budget = std::make_shared<ConnectionBudget>(10, 1000);
  const auto first = budget->Take(600);
  ASSERT_TRUE(Taken(first));
  for (const size_t too_much : {size_t{401}, std::numeric_limits<size_t>::max()}) {
    const auto refused = budget->Take(too_much);
    ASSERT_FALSE(Taken(refused));
    EXPECT_EQ(std::get<Refused>(refused).of, Short::kArenaBytes);
    EXPECT_THAT(std::get<Refused>(refused).reason, HasSubstr("600 of 1000"));
  }
  EXPECT_TRUE(Taken(budget->Take(400)));
}

TEST(ConnectionBudgetTest, ALeaseThatMovesIsGivenBackOnce) {
  const auto budget = std::make_shared<ConnectionBudget>(1, 1000);
  {
    auto taken = budget->Take(1000);
    const Lease lease = std::get<Lease>(std::move(taken));
    EXPECT_FALSE(Taken(budget->Take(0)));
  }
  EXPECT_TRUE(Taken(budget->Take(1000)));
}

TEST(ConnectionBudgetTest, ALeaseOutlivesItsOwner) {
  auto budget = std::make_shared<ConnectionBudget>(1, 1000);
  const auto lease = budget->Take(1);
  budget.reset();
  EXPECT_TRUE(Taken(lease));
}

TEST(ConnectionBudgetTest, ManyThreads) {
  const auto budget = std::make_shared<ConnectionBudget>(3, 300);
  std::atomic<int> out{0}, most{0}, refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) {
        const auto lease = budget->Take(i % 2 == 0 ? 100 : 150);
        if (!Taken(lease)) {
          ++refused;
          std::this_thread::yield();
          continue;
        }
        const int now = ++out;
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        --out;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, 3);
  EXPECT_GE(most, 1);
  EXPECT_TRUE(Taken(budget->Take(300))) << "all has come back";
}

}  // namespace
}  // namespace grpc_cxl::internal
