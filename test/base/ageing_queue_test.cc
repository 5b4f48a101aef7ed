// SPDX-License-Identifier: Apache-2.0
// Proves that more urgent items go first, that each priority keeps its order, and how far an item
// can be passed.

#include "grpc_cxl/base/ageing_queue.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

using Queue = AgeingQueue<std::string>;
constexpr int64_t kStep = Queue::kStepNs;

std::string PopAll(Queue& queue, int64_t latest_ns = Queue::kNone) {
  std::string all;
  while (auto item = queue.Pop(latest_ns)) all += *item + " ";
  return all;
}

TEST(AgeingQueueTest, UrgentFirstAndEachPriorityInOrder) {
  Queue queue;
  EXPECT_EQ(queue.oldest_ns(), Queue::kNone);
  int64_t now = 1'000'000'000;
  for (const char* number : {"1", "2"}) {
    queue.Push(Priority::kBulk, std::string("bulk") + number, now++);
    queue.Push(Priority::kDefault, std::string("default") + number, now++);
    queue.Push(Priority::kInteractive, std::string("interactive") + number, now++);
  }
  EXPECT_EQ(queue.size(), 6u);
  EXPECT_EQ(queue.oldest_ns(), 1'000'000'000);
  EXPECT_EQ(PopAll(queue), "interactive1 interactive2 default1 default2 bulk1 bulk2 ");
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_EQ(queue.Pop(), std::nullopt);
}

TEST(AgeingQueueTest, AnItemIsPassedForAStepPerLevelOnly) {
  Queue queue;
  queue.Push(Priority::kBulk, "bulk", 0);
  queue.Push(Priority::kDefault, "default-in-time", kStep - 1);
  queue.Push(Priority::kDefault, "default-late", kStep + 1);
  queue.Push(Priority::kInteractive, "interactive-in-time", 2 * kStep - 1);
  queue.Push(Priority::kInteractive, "interactive-late", 2 * kStep + 1);
  // The defaults, too, are passed for a step only.
  EXPECT_EQ(PopAll(queue),
            "interactive-in-time default-in-time bulk interactive-late default-late ");

  // However many come without end.
  queue.Push(Priority::kBulk, "bulk", 0);
  int64_t now = 0, passed = 0;
  for (std::string next; next != "bulk"; ++passed) {
    now += kStep / 100;
    queue.Push(Priority::kInteractive, "interactive", now);
    next = *queue.Pop();
    ASSERT_LT(passed, 1000);
  }
  EXPECT_EQ(now, 2 * kStep + kStep / 100);
}

TEST(AgeingQueueTest, OnlyWhatHasWaitedForLongEnough) {
  Queue queue;
  queue.Push(Priority::kBulk, "old", 10);
  queue.Push(Priority::kInteractive, "young", 20);
  EXPECT_EQ(queue.Pop(9), std::nullopt);
  EXPECT_EQ(queue.Pop(19), "old");
  EXPECT_EQ(queue.oldest_ns(), 20);
  EXPECT_EQ(queue.Pop(20), "young");
}

TEST(AgeingQueueTest, WhatMayNotGoKeepsNothingElse) {
  Queue queue;
  queue.Push(Priority::kBulk, "bulk", 0);
  queue.Push(Priority::kDefault, "default", kStep + 1);
  std::string asked;
  const auto none = [&](Priority priority) {
    asked += priority == Priority::kBulk ? "bulk " : "other ";
    return false;
  };
  EXPECT_EQ(queue.PopIf(none), std::nullopt);
  EXPECT_EQ(asked, "bulk other ");
  const auto no_bulk = [](Priority priority) { return priority != Priority::kBulk; };
  EXPECT_EQ(queue.PopIf(no_bulk), "default");
  EXPECT_EQ(queue.PopIf(no_bulk), std::nullopt);
  EXPECT_EQ(queue.Pop(), "bulk");
}

// As in turns, which are not in the order of their times.
TEST(AgeingQueueTest, TheOldestOfAPriorityCountsForAllBeforeIt) {
  Queue queue;
  queue.Push(Priority::kBulk, "late", kStep);
  queue.Push(Priority::kBulk, "old", 0);
  queue.Push(Priority::kBulk, "later", 2 * kStep);
  queue.Push(Priority::kInteractive, "interactive1", 2 * kStep + 1);
  queue.Push(Priority::kInteractive, "interactive2", 2 * kStep + 2);
  EXPECT_EQ(queue.oldest_ns(), 0);
  EXPECT_EQ(queue.Pop(), "late");
  EXPECT_EQ(queue.Pop(), "old");
  EXPECT_EQ(queue.oldest_ns(), 2 * kStep);
  EXPECT_EQ(PopAll(queue), "interactive1 interactive2 later ");
}

TEST(AgeingQueueTest, WhatIsRemovedMakesNothingOlder) {
  Queue queue;
  const auto is = [](const char* name) {
    return [name](const std::string& item) { return item == name; };
  };
  queue.Push(Priority::kBulk, "first", 5);
  queue.Push(Priority::kBulk, "old", 0);
  queue.Push(Priority::kBulk, "last", 7);
  queue.Push(Priority::kDefault, "default", kStep + 2);
  EXPECT_EQ(queue.Remove(is("old")), "old");
  EXPECT_EQ(queue.Remove(is("old")), std::nullopt);
  EXPECT_EQ(queue.size(), 3u);
  EXPECT_EQ(queue.oldest_ns(), 5);
  EXPECT_EQ(PopAll(queue), "default first last ");
  EXPECT_TRUE(queue.empty());
}

TEST(AgeingQueueTest, ItemsAreMovedAndUnknownPrioritiesAreDefault) {
  AgeingQueue<std::unique_ptr<int>> queue;
  queue.Push(Priority::kBulk, std::make_unique<int>(2), 0);
  queue.Push(static_cast<Priority>(77), std::make_unique<int>(1), 0);
  EXPECT_EQ(**queue.Pop(), 1);
  EXPECT_EQ(**queue.Pop(), 2);
}

}  // namespace
}  // namespace grpc_cxl::internal
