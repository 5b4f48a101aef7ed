// SPDX-License-Identifier: Apache-2.0
// Proves that a pool takes memory as blocks need it and no more than its borrower grants, gives it
// back at rest, and does without while there is none.

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/blocks/block_borrower.h"
#include "grpc_cxl/blocks/block_pool.h"
#include "grpc_cxl/blocks/granted_limit.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::StatusIs;

constexpr uint32_t kPages = 1024;
constexpr size_t kArea = kPages * kPageBytes;
const ArenaPages kTrusted(Reservation::kOnUse, /*trust_peer=*/true);

// A budget for one area.
struct Budget : AreaLimit {
  Budget(uint32_t* left, uint32_t pages) : left(*left), pages(pages) {}
  uint32_t Grow(uint32_t wanted) override {
    const uint32_t more = std::min(wanted - pages, left);
    left -= more;
    return pages += more;
  }
  bool Shrink(uint32_t fewer) override {
    left += pages - fewer;
    pages = fewer;
    return true;
  }

  uint32_t& left;
  uint32_t pages;
};

class BlockGrowthTest : public ::testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<Arena> made =
        Arena::Create(kArea + ReturnBytes(kArea) + kPageBytes, {}, Reservation::kOnUse);
    ASSERT_TRUE(made.ok()) << made.status();
    arena_ = std::make_shared<Arena>(*std::move(made));
    if (!arena_->pages().on_use() || sysconf(_SC_PAGESIZE) != kPageBytes) {
      GTEST_SKIP() << "the kernel is older than 5.14, or has larger pages";
    }
    const absl::Span<char> area(arena_->data(), kArea);
    const absl::Span<BlockReturnEntry> entries(
        reinterpret_cast<BlockReturnEntry*>(arena_->data() + kArea), kPages);
    area_ = area;
    entries_ = entries;
    owner_ = reinterpret_cast<BlockOwnerWords*>(arena_->data() + kArea + ReturnBytes(kArea));
    returns_ = reinterpret_cast<BlockReturnWords*>(owner_ + 1);
    ASSERT_TRUE(arena_->pages().Reserve({reinterpret_cast<const char*>(owner_), kPageBytes}).ok());
    constexpr uint32_t kBegin = 16;
    pool_ = std::make_shared<BlockPool>(
        arena_, area, owner_, &returns_->returned, entries, SharedView(),
        BlockGrowth{.pages = kTrusted,
                    .begin_pages = kBegin,
                    .limit = std::make_unique<GrantedLimit>(owner_, returns_, kBegin)});
    borrower_ = std::make_shared<BlockBorrower>(
        arena_, area, &returns_->returned, owner_, entries, SharedView(),
        BlockGrant{.pages = kTrusted,
                   .begin_pages = kBegin,
                   .limit = std::make_unique<Budget>(&left_, kBegin),
                   .granted = &returns_->granted});
  }

  // Of the area and the entries.
  size_t ReservedPages() const {
    struct stat file;
    EXPECT_EQ(fstat(arena_->fd(), &file), 0);
    return file.st_blocks * 512 / kPageBytes - 1;
  }
  BlockPool::Block Take(size_t pages) {
    absl::StatusOr<BlockPool::Block> block = pool_->Allocate(pages * kPageBytes);
    EXPECT_TRUE(block.ok()) << block.status();
    return *std::move(block);
  }

  uint32_t left_ = 500;  // pages of the borrower's budget
  std::shared_ptr<Arena> arena_;
  absl::Span<char> area_;
  absl::Span<BlockReturnEntry> entries_;
  BlockOwnerWords* owner_;
  BlockReturnWords* returns_;
  std::shared_ptr<BlockPool> pool_;
  std::shared_ptr<BlockBorrower> borrower_;
};

TEST_F(BlockGrowthTest, GrowsWithUseAndShrinksAtRest) {
  EXPECT_EQ(ReservedPages(), 0);
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(Take(1));
    EXPECT_EQ(ReservedPages(), 16) << "one extent";
    EXPECT_FALSE(Take(200)) << "the answer is still to come";
    ASSERT_TRUE(borrower_->Asked());
    const uint64_t question = owner_->wanted;
    EXPECT_FALSE(Take(201));
    EXPECT_EQ(owner_->wanted, question) << "one at a time";
    borrower_->Answer();
    EXPECT_FALSE(borrower_->Asked());
    BlockPool::Block large = Take(200);
    ASSERT_TRUE(large);
    EXPECT_EQ(ReservedPages(), 208);
    memset(large.memory().data(), 'x', large.memory().size());

    // A block in use keeps its extents, not the others.
    EXPECT_FALSE(Take(450));
    EXPECT_FALSE(pool_->Rest()) << "a question is open";
    borrower_->Answer();
    EXPECT_TRUE(Take(100));
    EXPECT_EQ(ReservedPages(), 304);
    borrower_->Answer();  // it may have asked once more
    EXPECT_TRUE(pool_->Rest()) << "fewer pages are wanted";
    EXPECT_EQ(ReservedPages(), 208);
    EXPECT_EQ(large.memory()[large.memory().size() - 1], 'x');
    borrower_->Answer();
    large.Reset();
    EXPECT_TRUE(pool_->Rest());
    EXPECT_FALSE(Take(200)) << "above what it keeps";
    borrower_->Answer();
    EXPECT_EQ(ReservedPages(), 0);
    EXPECT_FALSE(pool_->MayRest());
    EXPECT_EQ(left_, 500 + 16 - 64) << "256 KiB are kept";
  }
}

TEST_F(BlockGrowthTest, WhatTheBudgetHasIsGranted) {
  EXPECT_FALSE(Take(900));
  borrower_->Answer();
  EXPECT_EQ(left_, 0);
  EXPECT_FALSE(Take(517));
  borrower_->Answer();
  EXPECT_TRUE(Take(516));
}

TEST_F(BlockGrowthTest, BulkGrowsForItsHalfAndLeavesHalfOfWhatIsGranted) {
  const auto takes_bulk = [this](size_t pages) {
    return bool{*pool_->Allocate(pages * kPageBytes, Priority::kBulk)};
  };
  EXPECT_TRUE(takes_bulk(8));
  EXPECT_FALSE(takes_bulk(100)) << "the answer is still to come";
  borrower_->Answer();
  EXPECT_TRUE(takes_bulk(100));
  EXPECT_FALSE(takes_bulk(300));
  borrower_->Answer();
  EXPECT_FALSE(takes_bulk(259)) << "the budget has 516";
  EXPECT_TRUE(takes_bulk(258));
}

TEST_F(BlockGrowthTest, LoansAreOfGrantedPagesOnly) {
  const uint32_t end = 16 * kPageBytes;
  EXPECT_TRUE(borrower_->Borrow({end - 10, 10}).ok());
  EXPECT_THAT(borrower_->Borrow({end - 10, 11}), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(borrower_->Borrow({end, 1}), StatusIs(absl::StatusCode::kDataLoss));
  // A peer that asks for less, but keeps the memory on our account.
  ASSERT_TRUE(arena_->pages().Reserve({arena_->data(), end}).ok());
  const size_t before = ReservedPages();
  owner_->wanted = NumberedPages(1, 2);
  borrower_->Answer();
  EXPECT_EQ(before - ReservedPages(), 14);
  EXPECT_THAT(borrower_->Borrow({2 * kPageBytes, 1}), StatusIs(absl::StatusCode::kDataLoss));
  // More than there is.
  left_ = 5000;
  owner_->wanted = NumberedPages(2, ~0u);
  borrower_->Answer();
  EXPECT_EQ(returns_->granted, NumberedPages(2, kPages));
}

TEST_F(BlockGrowthTest, APeerThatGrantsMoreIsNotBelieved) {
  EXPECT_FALSE(Take(200));
  returns_->granted = NumberedPages(NumberOf(owner_->wanted), kPages);
  EXPECT_TRUE(Take(200));
  EXPECT_FALSE(Take(300));
}

// Its pages may be on our account still.
TEST_F(BlockGrowthTest, AnUntrustedPeerKeepsItsShareOfTheBudget) {
  const auto borrower = std::make_shared<BlockBorrower>(
      arena_, area_, &returns_->returned, owner_, entries_, SharedView(),
      BlockGrant{.pages = ArenaPages(Reservation::kOnUse),
                 .begin_pages = 16,
                 .limit = std::make_unique<Budget>(&left_, 16),
                 .granted = &returns_->granted});
  owner_->wanted = NumberedPages(1, 2);
  borrower->Answer();
  EXPECT_EQ(left_, 500);
  EXPECT_EQ(returns_->granted, NumberedPages(1, 2));
}

// As if there were none: a reservation fails, a store crashes.
TEST_F(BlockGrowthTest, WithoutMemoryThereIsNoBlockAndNoLoan) {
  const size_t bytes = kArea + ReturnBytes(kArea);
  ASSERT_EQ(mprotect(arena_->data(), bytes, PROT_READ), 0);
  EXPECT_FALSE(Take(1));
  EXPECT_THAT(borrower_->Borrow({0, 1}), StatusIs(absl::StatusCode::kResourceExhausted));
  ASSERT_EQ(mprotect(arena_->data(), bytes, PROT_READ | PROT_WRITE), 0);
  EXPECT_TRUE(Take(1));
  EXPECT_TRUE(borrower_->Borrow({0, 1}).ok());
}

}  // namespace
}  // namespace grpc_cxl::internal
