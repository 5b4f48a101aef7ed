// SPDX-License-Identifier: Apache-2.0
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

// Lends all of `text`, written into a block that is dropped afterwards.
BlockDescriptor Send(BlockPair& pair, const std::string& text) {
  const BlockPool::Block block = pair.Take(text.size());
  memcpy(block.memory().data(), text.data(), text.size());
  return *pair.pool->Lend(block.memory().subspan(0, text.size()));
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
    BlockBorrower::Loan loan = *pair.borrower->Borrow(Send(pair, text));
    EXPECT_EQ(std::string(loan.bytes().begin(), loan.bytes().end()), text);
    EXPECT_EQ(pair.pool->pages_in_use(), (bytes + kPage - 1) / kPage);
    EXPECT_EQ(pair.memory->owner.pages_in_use.load(), pair.pool->pages_in_use());
    loan = {};
    ASSERT_THAT(pair.pool->TakeBack(), IsOk());
    EXPECT_EQ(pair.memory->owner.pages_in_use.load(), 0u);
  }
}

TEST(BlockTest, RunningOutIsAnEmptyBlock) {
  BlockPair pair(8);
  BlockPool::Block five = pair.Take(5 * kPage);
  EXPECT_TRUE(five);
  EXPECT_FALSE(pair.Take(4 * kPage));
  EXPECT_FALSE(pair.Take(9 * kPage)) << "more than there ever is";
  const absl::StatusOr<BlockPool::Block> less = pair.pool->Allocate(4 * kPage, 3 * kPage);
  ASSERT_THAT(less, IsOk());
  EXPECT_EQ(less->memory().size(), 3 * kPage);
  EXPECT_FALSE(pair.Take(1));
  five.Reset();
  EXPECT_TRUE(pair.Take(5 * kPage));
}

TEST(BlockTest, BulkLeavesHalf) {
  BlockPair pair(10);
  const auto take_bulk = [&](size_t pages) {
    return *pair.pool->Allocate(pages * kPageBytes, kPageBytes, Priority::kBulk);
  };
  EXPECT_FALSE(take_bulk(6));  // nor a smaller one
  const BlockPool::Block three = take_bulk(3);
  EXPECT_TRUE(three);
  EXPECT_FALSE(take_bulk(3));
  BlockPool::Block two = take_bulk(2);
  EXPECT_TRUE(two);
  EXPECT_FALSE(take_bulk(1));
  const BlockPool::Block others = pair.Take(5 * kPageBytes);
  EXPECT_TRUE(others);
  two.Reset();
  EXPECT_FALSE(take_bulk(1));  // whoever has the other half
  EXPECT_TRUE(pair.Take(2 * kPageBytes));
}

TEST(BlockTest, BulkSeesWhatCameBack) {
  BlockPair pair(2);
  const auto take_bulk = [&] { return *pair.pool->Allocate(kPage, kPage, Priority::kBulk); };
  BlockPool::Block block = take_bulk();
  ASSERT_TRUE(block);
  BlockBorrower::Loan loan = *pair.borrower->Borrow(*pair.pool->Lend(block.memory()));
  block.Reset();
  EXPECT_FALSE(take_bulk());
  loan = {};
  EXPECT_TRUE(take_bulk());
}

TEST(BlockTest, FreeOnlyWhenNeitherHeldNorLent) {
  for (const bool holder_first : {true, false}) {
    BlockPair pair(1);
    BlockPool::Block block = pair.Take(100);
    const absl::Span<char> bytes = block.memory().subspan(10, 50);
    BlockBorrower::Loan loan = *pair.borrower->Borrow(*pair.pool->Lend(bytes));
    EXPECT_EQ(pair.pool->Lend(bytes), std::nullopt) << "more than the peer can return";
    holder_first ? block.Reset() : static_cast<void>(loan = {});
    EXPECT_FALSE(pair.Take(1));
    holder_first ? static_cast<void>(loan = {}) : block.Reset();
    EXPECT_TRUE(pair.Take(1));
  }
}

TEST(BlockTest, LentInPartsAndSeveralTimes) {
  BlockPair pair(8);
  BlockPool::Block block = pair.Take(3 * kPage);
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

TEST(BlockTest, ReturnsThatWrapAround) {
  BlockPair pair(32);
  for (int round = 0; round < 2; ++round) {
    std::vector<BlockBorrower::Loan> loans;
    for (int i = 0; i < 24; ++i) loans.push_back(*pair.borrower->Borrow(Send(pair, "x")));
    for (BlockBorrower::Loan& loan : loans) loan = {};
    ASSERT_THAT(pair.pool->TakeBack(), IsOk());
    EXPECT_EQ(pair.pool->pages_in_use(), 0u);
  }
}

TEST(BlockTest, ARevokedLoanIsOver) {
  BlockPair pair(1);
  pair.pool->Revoke(Send(pair, "never told"));
  EXPECT_EQ(pair.memory->owner.pages_in_use.load(), 0u);
  EXPECT_TRUE(pair.Take(1));
  EXPECT_THAT(pair.pool->TakeBack(), IsOk());
}

TEST(BlockTest, WhatLiesInTheAreaIsKnown) {
  BlockPair pair(4);
  const BlockPool::Block block = pair.Take(kPage);
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
  const std::string text = Text(2 * kPage, 'z');
  BlockPair pair(4);
  const std::weak_ptr<BlockPair::Memory> memory = pair.memory;
  BlockPool::Block block = pair.Take(kPage);
  auto loan = std::make_unique<BlockBorrower::Loan>(*pair.borrower->Borrow(Send(pair, text)));
  EXPECT_EQ(CopyCounters::OfProcess().loans_out.value(), out + 1);
  EXPECT_EQ(CopyCounters::OfProcess().loans_held.value(), held + 1);
  pair.pool.reset();
  pair.borrower.reset();
  pair.memory.reset();
  memset(block.memory().data(), 'x', kPage);
  EXPECT_EQ(std::string(loan->bytes().begin(), loan->bytes().end()), text);
  std::thread([loan = std::move(loan)] {}).join();
  EXPECT_FALSE(memory.expired());
  block.Reset();
  EXPECT_TRUE(memory.expired());
  EXPECT_EQ(CopyCounters::OfProcess().loans_out.value(), out);
  EXPECT_EQ(CopyCounters::OfProcess().loans_held.value(), held);
}

// Threads allocate, write and lend; borrow, and exchange loans with each other, so that others
// check the bytes and return them later. A page that was given twice would show foreign bytes.
TEST(BlockTest, ManyThreads) {
  const int rounds = TestMemoryModel().private_copy ? 300 : 3'000;
  BlockPair pair(64);
  absl::Mutex mu;
  BlockBorrower::Loan kept[8];
  const auto work = [&](uint32_t seed) {
    std::minstd_rand random(seed);
    for (int i = 0; i < rounds; ++i) {
      const size_t size = 1 + random() % (8 * kPage);
      BlockPool::Block block = pair.Take(size);
      if (!block) continue;
      const auto mark = static_cast<char>(random());
      memset(block.memory().data(), mark, size);
      BlockBorrower::Loan loan =
          *pair.borrower->Borrow(*pair.pool->Lend(block.memory().subspan(0, size)));
      EXPECT_EQ(block.memory()[size / 2], mark);
      block.Reset();
      {
        absl::MutexLock lock(mu);
        std::swap(loan, kept[random() % 8]);
      }
      const absl::Span<char> bytes = loan.bytes();
      ASSERT_TRUE(bytes.empty() ||
                  std::count(bytes.begin(), bytes.end(), bytes[0]) == std::ssize(bytes));
    }
  };
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 4; ++t) threads.emplace_back(work, t + 1);
  for (std::thread& thread : threads) thread.join();
  for (BlockBorrower::Loan& loan : kept) loan = {};
  ASSERT_THAT(pair.pool->TakeBack(), IsOk());
  EXPECT_EQ(pair.memory->owner.pages_in_use.load(), 0u);
}

TEST(BlockDeathTest, OnlyWhatIsHeldCanBeLent) {
  BlockPair pair(4);
  BlockPool::Block block = pair.Take(kPage);
  const absl::Span<char> memory = block.memory();
  EXPECT_DEATH(pair.pool->Lend({memory.data(), 2 * kPage}), "more than one block");
  block.Reset();
  EXPECT_DEATH(pair.pool->Lend(memory), "held");
}

}  // namespace
}  // namespace grpc_cxl::internal
