// Proves the life of a block: memory of its own from allocation until the last holder and the
// last loan are gone, in whatever order and on whatever thread; bytes arrive where they were
// put, at every size around the page boundaries; running out is an answer and not an error;
// holders and loans outlive both sides and keep the memory; in the end no page is in use.

#include <algorithm>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status_matchers.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/blocks/copy_counters.h"
#include "gtest/gtest.h"
#include "test/blocks/block_pair.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;

constexpr size_t kPage = kPageBytes;

BlockPool::Block Take(BlockPool& pool, size_t bytes) {
  absl::StatusOr<BlockPool::Block> block = pool.Allocate(bytes);
  EXPECT_THAT(block, IsOk());
  return *std::move(block);
}

// Lends all of `text`, written into a block that nobody holds afterwards.
BlockDescriptor Send(BlockPool& pool, const std::string& text) {
  const BlockPool::Block block = Take(pool, text.size());
  EXPECT_TRUE(block);
  memcpy(block.memory().data(), text.data(), text.size());
  return *pool.Lend(block.memory().subspan(0, text.size()));
}

std::string Text(size_t bytes, char first) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>(first + i * 31);
  return text;
}

TEST(BlockTest, SizesAroundThePages) {
  BlockPair pair(16);
  for (const size_t bytes : {size_t{1}, kPage - 1, kPage, kPage + 1, 2 * kPage - 1, 2 * kPage,
                             15 * kPage + 1, 16 * kPage}) {
    const std::string text = Text(bytes, 'a');
    absl::StatusOr<BlockBorrower::Loan> loan = pair.borrower->Borrow(Send(*pair.pool, text));
    ASSERT_THAT(loan, IsOk());
    EXPECT_EQ(std::string(loan->bytes().begin(), loan->bytes().end()), text);
    EXPECT_EQ(pair.pool->pages_in_use(), (bytes + kPage - 1) / kPage);
    EXPECT_EQ(pair.words().owner.pages_in_use.load(), pair.pool->pages_in_use());
    *loan = {};
    ASSERT_THAT(pair.pool->TakeBack(), IsOk());
    EXPECT_EQ(pair.words().owner.pages_in_use.load(), 0u);
  }
}

TEST(BlockTest, RunningOutIsAnEmptyBlock) {
  BlockPair pair(8);
  BlockPool::Block five = Take(*pair.pool, 5 * kPage);
  EXPECT_TRUE(five);
  EXPECT_FALSE(Take(*pair.pool, 4 * kPage));
  EXPECT_FALSE(Take(*pair.pool, 9 * kPage)) << "more than there ever is";
  const absl::StatusOr<BlockPool::Block> less = pair.pool->Allocate(4 * kPage, 3 * kPage);
  ASSERT_THAT(less, IsOk());
  EXPECT_EQ(less->memory().size(), 3 * kPage);
  EXPECT_FALSE(Take(*pair.pool, 1));
  five.Reset();
  EXPECT_TRUE(Take(*pair.pool, 5 * kPage));
}

TEST(BlockTest, FreeOnlyWhenNeitherHeldNorLent) {
  for (const bool holder_first : {true, false}) {
    BlockPair pair(1);
    BlockPool::Block block = Take(*pair.pool, 100);
    const absl::Span<char> bytes = block.memory().subspan(10, 50);
    BlockBorrower::Loan one = *pair.borrower->Borrow(*pair.pool->Lend(bytes));
    // Lent twice at a time, which needs an area with two entries.
    EXPECT_EQ(pair.pool->Lend(bytes), std::nullopt) << "more than the peer can return";
    if (holder_first) block.Reset();
    if (!holder_first) one = {};
    EXPECT_FALSE(Take(*pair.pool, 1));
    if (holder_first) one = {};
    if (!holder_first) block.Reset();
    EXPECT_TRUE(Take(*pair.pool, 1));
  }
}

TEST(BlockTest, LentInPartsAndSeveralTimes) {
  BlockPair pair(8);
  BlockPool::Block block = Take(*pair.pool, 3 * kPage);
  std::vector<BlockBorrower::Loan> loans;
  for (const size_t begin : {size_t{0}, kPage + 5, 2 * kPage + 5, kPage + 5}) {
    const absl::Span<char> part = block.memory().subspan(begin, 1000);
    loans.push_back(*pair.borrower->Borrow(*pair.pool->Lend(part)));
    EXPECT_EQ(loans.back().bytes().size(), 1000u);
  }
  block.Reset();
  while (!loans.empty()) {
    ASSERT_THAT(pair.pool->TakeBack(), IsOk());
    EXPECT_EQ(pair.pool->pages_in_use(), 3u);
    loans.pop_back();
  }
  ASSERT_THAT(pair.pool->TakeBack(), IsOk());
  EXPECT_EQ(pair.pool->pages_in_use(), 0u);
}

TEST(BlockTest, WhatLiesInTheAreaIsKnown) {
  BlockPair pair(4);
  const BlockPool::Block block = Take(*pair.pool, kPage);
  const absl::Span<char> memory = block.memory();
  EXPECT_TRUE(pair.pool->Contains(memory));
  EXPECT_TRUE(pair.pool->Contains({memory.data() + 4 * kPage - 1, 1}));
  EXPECT_FALSE(pair.pool->Contains({memory.data() - 1, 1}));
  EXPECT_FALSE(pair.pool->Contains({memory.data() + 4 * kPage - 1, 2}));
  EXPECT_FALSE(pair.pool->Contains({memory.data() + 4 * kPage, 0}));
  EXPECT_FALSE(pair.pool->Contains("elsewhere"));
}

TEST(BlockTest, LoansAndBlocksOutliveEverything) {
  const int64_t out = CopyCounters::OfProcess().loans_out.value(),
                held = CopyCounters::OfProcess().loans_held.value();
  BlockPair pair(4);
  const std::weak_ptr<BlockPair::Memory> memory = pair.memory();
  BlockPool::Block block = Take(*pair.pool, kPage);
  const std::string text = Text(2 * kPage, 'z');
  auto loan = std::make_unique<BlockBorrower::Loan>(*pair.borrower->Borrow(Send(*pair.pool, text)));
  EXPECT_EQ(CopyCounters::OfProcess().loans_out.value(), out + 1);
  EXPECT_EQ(CopyCounters::OfProcess().loans_held.value(), held + 1);
  pair.Drop();
  memset(block.memory().data(), 'x', kPage);
  EXPECT_EQ(std::string(loan->bytes().begin(), loan->bytes().end()), text);
  std::thread([loan = std::move(loan)] {}).join();
  EXPECT_FALSE(memory.expired());
  block.Reset();
  EXPECT_TRUE(memory.expired());
  EXPECT_EQ(CopyCounters::OfProcess().loans_out.value(), out);
  EXPECT_EQ(CopyCounters::OfProcess().loans_held.value(), held);
}

// Several threads allocate, write and lend; others check the bytes, keep some for a while and
// return them. Whoever got a page that was not free would see foreign bytes.
TEST(BlockTest, ManyThreads) {
  constexpr int kEach = 3'000;
  constexpr uint32_t kThreads = 3;
  BlockPair pair(64);
  absl::Mutex mu;
  std::vector<BlockDescriptor> queue;
  int left = kEach * kThreads;
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::minstd_rand random(t + 1);
      for (int sent = 0; sent < kEach;) {
        const size_t bytes = 1 + random() % (8 * kPage);
        const BlockPool::Block block = Take(*pair.pool, bytes);
        if (!block) {
          std::this_thread::yield();
          continue;
        }
        const auto mark = static_cast<char>(random());
        memset(block.memory().data(), mark, bytes);
        const auto lent = pair.pool->Lend(block.memory().subspan(0, bytes));
        if (!lent.has_value()) continue;
        EXPECT_EQ(block.memory()[bytes / 2], mark);
        absl::MutexLock lock(mu);
        queue.push_back(*lent);
        ++sent;
      }
    });
    threads.emplace_back([&] {
      std::vector<BlockBorrower::Loan> kept;
      for (;;) {
        BlockDescriptor next{};
        {
          absl::MutexLock lock(mu);
          if (left == 0) return;
          if (!queue.empty()) {
            next = queue.back();
            queue.pop_back();
            --left;
          }
        }
        if (next.bytes == 0) {
          kept.clear();
          std::this_thread::yield();
          continue;
        }
        kept.push_back(*pair.borrower->Borrow(next));
        const absl::Span<char> bytes = kept.back().bytes();
        ASSERT_TRUE(
            std::all_of(bytes.begin(), bytes.end(), [&](char byte) { return byte == bytes[0]; }));
        if (kept.size() > 4) kept.erase(kept.begin());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_THAT(pair.pool->TakeBack(), IsOk());
  EXPECT_EQ(pair.words().owner.pages_in_use.load(), 0u);
}

TEST(BlockDeathTest, OnlyWhatIsHeldCanBeLent) {
  BlockPair pair(4);
  BlockPool::Block block = Take(*pair.pool, kPage);
  const absl::Span<char> memory = block.memory();
  EXPECT_DEATH(pair.pool->Lend({memory.data(), 2 * kPage}), "more than one block");
  block.Reset();
  EXPECT_DEATH(pair.pool->Lend(memory), "held");
}

}  // namespace
}  // namespace grpc_cxl::internal
