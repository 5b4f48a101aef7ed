// SPDX-License-Identifier: Apache-2.0
// Proves a link between two that share nothing but the arena, and whose caches do not see each
// other: bytes both ways at once through full and empty rings, in two threads and in two
// processes; the end of the stream; and the end of the peer as its Liveness tells it.
// Neither end wakes the other.

#include <string>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/link/link_pair.h"
#include "test/link/random_link_end.h"
#include "test/support/both_sides.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOkAndHolds;
using Line = DoorbellSleeper::Line;

constexpr size_t kRing = 4 << 10;

TEST(FarLinkTest, BytesGoBothWaysAtOnce) {
  constexpr uint64_t kBytes = 1'000'000;
  for (const World world : {World::kThreads, World::kProcesses}) {
    FarLinkPair pair(kRing);
    const auto exchange = [&pair](Link& link, uint32_t seed) {
      SpinBudget none(WaitPolicy::kPark, absl::ZeroDuration());
      return RandomLinkEnd(link, none, seed, [&] { return pair.State(); }).Exchange(kBytes);
    };
    EXPECT_EQ(RunBothSides(
                  world, [&] { return exchange(*pair.client, 1); },
                  [&] { return exchange(*pair.server, 2); }),
              "");
    EXPECT_EQ(pair.client->counters().wakes, 0);
  }
}

TEST(FarLinkTest, TheEndOfTheStreamIsSeen) {
  FarLinkPair pair(kRing);
  EXPECT_TRUE(pair.server->Look());
  EXPECT_FALSE(pair.server->PeerClosedStream());
  pair.client->CloseStream();
  pair.server->Look();
  EXPECT_TRUE(pair.server->PeerClosedStream());
  EXPECT_EQ(pair.server->Drain(), Line::kOpen);
}

TEST(FarLinkTest, TheEndOfThePeerIsSeenWithItsLastBytes) {
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
