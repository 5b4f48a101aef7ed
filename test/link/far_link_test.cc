// Proves a link between two that share nothing but the arena, and whose caches do not see each
// other: bytes both ways at once through full and empty rings, in two threads and in two
// processes; blocks; the end of the stream; and the end of the peer as its Liveness tells it.
// Nobody rings.

#include <sched.h>

#include <cstring>
#include <string>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/link/far_link_pair.h"
#include "test/link/random_link_end.h"
#include "test/support/both_sides.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using Line = DoorbellSleeper::Line;

constexpr size_t kRing = 4 << 10;

// Sends `total` bytes of the stream of ByteAt() and receives as many, at the same time.
std::string Exchange(Link& link, uint64_t total) {
  uint64_t sent = 0, received = 0;
  bool wants = false;
  while (sent < total || received < total) {
    if (sent < total && (!wants || link.MaybeWritable())) {
      std::string piece(std::min<uint64_t>(1 + sent % 3000, total - sent), '\0');
      for (size_t i = 0; i < piece.size(); ++i) piece[i] = ByteAt(sent + i);
      const absl::StatusOr<size_t> written = link.Write(piece);
      if (!written.ok()) return written.status().ToString();
      sent += *written;
      link.Publish();
      wants = *written < piece.size();
      if (wants) link.WantSpace();
    }
    if (!link.MaybeReadable()) {
      sched_yield();
      continue;
    }
    const absl::StatusOr<size_t> readable = link.Readable();
    if (!readable.ok()) return readable.status().ToString();
    const absl::Span<const char> front = link.Front();
    for (size_t i = 0; i < front.size(); ++i) {
      if (front[i] != ByteAt(received + i)) return absl::StrCat("wrong byte ", received + i);
    }
    received += front.size();
    link.Consume(front.size());
  }
  return "";
}

class FarLinkTest : public ::testing::TestWithParam<World> {};

TEST_P(FarLinkTest, BytesGoBothWaysAtOnce) {
  constexpr uint64_t kTotal = 2'000'000;
  FarLinkPair pair(kRing);
  EXPECT_EQ(RunBothSides(
                GetParam(), [&] { return Exchange(*pair.client, kTotal); },
                [&] { return Exchange(*pair.server, kTotal); }),
            "");
  EXPECT_EQ(pair.client->counters().wakes, 0);
}

INSTANTIATE_TEST_SUITE_P(Worlds, FarLinkTest, ::testing::Values(World::kThreads, World::kProcesses),
                         [](const ::testing::TestParamInfo<World>& info) {
                           return info.param == World::kThreads ? "threads" : "processes";
                         });

TEST(FarLinkPairTest, BlocksAreLentAndReturned) {
  FarLinkPair pair(kRing, 64 << 10);
  for (int i = 0; i < 100; ++i) {
    absl::StatusOr<BlockPool::Block> block = pair.client->pool()->Allocate(20'000);
    ASSERT_THAT(block, IsOk());
    ASSERT_TRUE(*block);
    memset(block->memory().data(), 'a' + i % 26, 20'000);
    const auto lent = pair.client->pool()->Lend(block->memory().subspan(0, 20'000));
    block->Reset();
    const absl::StatusOr<BlockBorrower::Loan> loan = pair.server->borrower()->Borrow(*lent);
    ASSERT_THAT(loan, IsOk());
    EXPECT_EQ(std::string(loan->bytes().begin(), loan->bytes().end()),
              std::string(20'000, static_cast<char>('a' + i % 26)));
  }
  ASSERT_THAT(pair.client->pool()->TakeBack(), IsOk());
  EXPECT_EQ(pair.client->pool()->pages_in_use(), 0u);
}

TEST(FarLinkPairTest, TheEndOfTheStreamIsSeen) {
  FarLinkPair pair(kRing);
  EXPECT_FALSE(pair.server->PeerClosedStream());
  pair.client->CloseStream();
  EXPECT_TRUE(pair.server->PeerClosedStream());
  EXPECT_EQ(pair.server->Drain(), Line::kOpen);
}

TEST(FarLinkPairTest, TheEndOfThePeerIsSeenWithItsLastBytes) {
  FarLinkPair pair(kRing);
  EXPECT_EQ(pair.server->socket(), -1);
  EXPECT_TRUE(pair.server->polls());
  EXPECT_FALSE(pair.server->PeerGone());
  ASSERT_THAT(pair.client->Write(std::string("last words")), IsOkAndHolds(10));
  pair.client->Publish();
  pair.client->Close();
  EXPECT_TRUE(pair.server->PeerGone());
  EXPECT_EQ(pair.server->Drain(), Line::kPeerGone);
  EXPECT_THAT(pair.server->Readable(), IsOkAndHolds(10));
  EXPECT_FALSE(pair.client->PeerGone());
}

}  // namespace
}  // namespace grpc_cxl::internal
