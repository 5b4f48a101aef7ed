// SPDX-License-Identifier: Apache-2.0
// Proves that a hostile borrower gets at most DATA_LOSS out of the owner, whatever it returns:
// blocks twice, blocks never lent, pages that do not exist, more than there are, positions out
// of nowhere; what is held or free stays as it was. A borrower that returns nothing only makes
// the owner run out. And that a hostile owner's descriptors cannot lead outside its area.

#include <limits>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/blocks/block_pair.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

constexpr size_t kPage = kPageBytes;
constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

// Pages 0 and 1 lent and not held, 2 held and not lent, 3 and 4 held and lent, the rest free.
struct Scene : BlockPair {
  Scene() : BlockPair(8) {
    lent = *pool->Lend(Take(2 * kPage).memory());
    held = Take(kPage);
    held_and_lent = Take(2 * kPage);
    EXPECT_TRUE(pool->Lend(held_and_lent.memory()).has_value());
  }
  // The peer says that it has returned these pages.
  void Return(const std::vector<uint32_t>& pages) {
    for (const uint32_t page : pages) {
      memory->entries[memory->returns.returned.load() % memory->entries.size()].store(page);
      memory->returns.returned.fetch_add(1);
    }
  }

  BlockDescriptor lent;
  BlockPool::Block held, held_and_lent;
};

TEST(BlockHostilePeerTest, ReturnsThatCannotBe) {
  const std::vector<std::vector<uint32_t>> kReturns = {
      {2},           // held, never lent
      {5},           // free
      {7},           // free, the last one
      {8},           // does not exist
      {0xffffffff},  // nor this
      {0, 0},        // twice
      {0, 1},        // twice, by another page of it
      {3, 4},        // the same while it is held
  };
  for (const std::vector<uint32_t>& returns : kReturns) {
    SCOPED_TRACE(::testing::PrintToString(returns));
    Scene scene;
    scene.Return(returns);
    EXPECT_THAT(scene.pool->TakeBack(),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("not lent")));
    EXPECT_THAT(scene.pool->Allocate(1), StatusIs(absl::StatusCode::kDataLoss)) << "for good";
    EXPECT_GE(scene.pool->pages_in_use(), 3u) << "what is held stays";
  }
}

TEST(BlockHostilePeerTest, PositionsOutOfNowhere) {
  for (const uint64_t position :
       {uint64_t{3}, uint64_t{9}, uint64_t{1} << 32, uint64_t{1} << 63, kMax}) {
    Scene scene;
    scene.memory->returns.returned.store(position);
    EXPECT_THAT(scene.pool->TakeBack(),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("are lent to it")))
        << position;
  }
  Scene scene;
  scene.Return({0});
  ASSERT_THAT(scene.pool->TakeBack(), IsOk());
  scene.memory->returns.returned.store(0);
  EXPECT_THAT(scene.pool->TakeBack(), StatusIs(absl::StatusCode::kDataLoss)) << "back again";
}

// Allowed, though no honest borrower does it: any page names its block.
TEST(BlockHostilePeerTest, AnyPageOfALoanReturnsIt) {
  Scene scene;
  scene.Return({1});
  ASSERT_THAT(scene.pool->TakeBack(), IsOk());
  EXPECT_EQ(scene.pool->pages_in_use(), 3u);
}

TEST(BlockHostilePeerTest, ALoanThatWasReturnedBeforeItWasRevoked) {
  Scene scene;
  scene.Return({0});
  ASSERT_THAT(scene.pool->TakeBack(), IsOk());
  scene.pool->Revoke(scene.lent);
  EXPECT_THAT(scene.pool->TakeBack(), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(BlockHostilePeerTest, ABorrowerThatReturnsNothingOnlyMakesUsRunOut) {
  BlockPair pair(8);
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(pair.pool->Lend(pair.Take(1).memory()).has_value());
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(pair.Take(1));
}

// A word of ours for onlookers, overwritten by the peer, is nothing we look at.
TEST(BlockHostilePeerTest, OurOwnWordIsNotTrusted) {
  Scene scene;
  scene.memory->owner.pages_in_use.store(kMax);
  EXPECT_EQ(scene.pool->pages_in_use(), 5u);
  EXPECT_TRUE(scene.Take(3 * kPage));
}

TEST(BlockHostilePeerTest, DescriptorsThatCannotBe) {
  BlockPair pair(4);
  constexpr uint32_t kAll = 4 * kPage;
  for (const BlockDescriptor descriptor : {BlockDescriptor{0, 0},
                                           {kAll, 1},
                                           {kAll - 1, 2},
                                           {0, kAll + 1},
                                           {1, kAll},
                                           {0xffffffff, 1},
                                           {1, 0xffffffff},
                                           {0xffffffff, 0xffffffff},
                                           {kAll, 0}}) {
    EXPECT_THAT(pair.borrower->Borrow(descriptor), StatusIs(absl::StatusCode::kDataLoss))
        << descriptor.begin << ", " << descriptor.bytes;
  }
  EXPECT_EQ(pair.memory->returns.returned.load(), 0u);
  EXPECT_THAT(pair.borrower->Borrow({0, kAll}), IsOk());
  EXPECT_THAT(pair.borrower->Borrow({kAll - 1, 1}), IsOk());
}

// The same loan a hundred times: each ends, and the return ring, overrun by its own owner,
// stays inside its memory.
TEST(BlockHostilePeerTest, MoreLoansThanTheReturnRingHolds) {
  BlockPair pair(4);
  std::vector<BlockBorrower::Loan> loans;
  for (int i = 0; i < 100; ++i) loans.push_back(*pair.borrower->Borrow({kPage, 10}));
  loans.clear();
  EXPECT_EQ(pair.memory->returns.returned.load(), 100u);
}

}  // namespace
}  // namespace grpc_cxl::internal
