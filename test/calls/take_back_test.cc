// SPDX-License-Identifier: Apache-2.0

// Proves that a call that its client takes back while the connection goes on never runs, that one
// which the server has taken goes on, and that its slot is used again only when the server has seen
// all of that, be the server in the middle of taking it or stopped.

#include <string>

#include "gtest/gtest.h"
#include "test/calls/call_pair.h"

namespace grpc_cxl::internal {
namespace {

using Kind = CallOutcome::Kind;

class TakeBackTest : public ::testing::Test {
 protected:
  int TakeBack() {
    return pair_.client.TakeBack([this] { ++freed_; });
  }
  int PostAndPoll(const std::string& request) {
    const int slot = pair_.Post(request);
    pair_.Poll(slot);
    return slot;
  }
  // The client looks at what the server has said.
  void Look() { EXPECT_TRUE(!pair_.ClientReady() || pair_.client.Run().ok()); }

  CallPair pair_;
  int freed_ = 0;
};

TEST_F(TakeBackTest, WhatIsNotTakenNeverRunsAndItsSlotWaitsForTheServer) {
  const int slot = PostAndPoll("q");
  EXPECT_EQ(TakeBack(), 1);
  ASSERT_TRUE(pair_.outcome.has_value());
  EXPECT_EQ(pair_.outcome->kind, Kind::kNotRun);
  EXPECT_EQ(TakeBack(), 0) << "once";
  pair_.client.Cancel(slot, pair_.generation);  // too late: flips nothing
  EXPECT_EQ(pair_.client.busy(), 1);
  EXPECT_EQ(freed_, 0);

  const ServerCalls::News news = pair_.server.Run();
  EXPECT_TRUE(news.status.ok());
  EXPECT_EQ(news.taken.size(), 0u);
  EXPECT_EQ(news.refused, 1u);
  Look();
  EXPECT_EQ(freed_, 1);
  EXPECT_EQ(pair_.client.busy(), 0);
  // The slot's next call.
  EXPECT_EQ(PostAndPoll("again"), slot);
  EXPECT_TRUE(pair_.Serve("a").ok());
  Look();
  EXPECT_EQ(pair_.outcome->response, "a");
}

TEST_F(TakeBackTest, WhatWaitsForRoomIsWithdrawn) {
  for (const bool its_turn_comes_first : {false, true}) {
    PostAndPoll("q");
    ServerCalls::News news = pair_.server.Run([](Priority) { return false; });
    ASSERT_EQ(news.waiting.size(), 1u);
    EXPECT_EQ(TakeBack(), 1);
    if (its_turn_comes_first) {
      EXPECT_FALSE(pair_.server.TakeWaiting(news.waiting[0]).has_value());
    }
    news = pair_.server.Run();
    EXPECT_EQ(news.withdrawn.size(), its_turn_comes_first ? 0u : 1u);
    EXPECT_EQ(news.taken.size(), 0u);
    Look();
    EXPECT_EQ(pair_.client.busy(), 0);
  }
  EXPECT_EQ(freed_, 2);
}

TEST_F(TakeBackTest, WhatIsTakenGoesOn) {
  PostAndPoll("taken");
  ServerCalls::News news = pair_.server.Run();
  ASSERT_EQ(news.taken.size(), 1u);
  EXPECT_EQ(TakeBack(), 0);
  EXPECT_FALSE(pair_.outcome.has_value());
  pair_.server.Respond(news.taken[0].id, "a");
  Look();
  EXPECT_EQ(pair_.outcome->response, "a");
  EXPECT_EQ(freed_, 0);
}

TEST_F(TakeBackTest, NotWhatAThreadWaitsForWasGivenUpOrIsOneWay) {
  pair_.Post("of a thread");
  const int cancelled = PostAndPoll("cancelled");
  pair_.client.Cancel(cancelled, pair_.generation);
  pair_.client.PostUnwanted(pair_.client.Acquire(), 0, [](const CallOutcome&) {});
  EXPECT_EQ(TakeBack(), 0);
  EXPECT_EQ(pair_.client.busy(), 3);
}

TEST_F(TakeBackTest, TheConnectionsEndFreesItsSlot) {
  PostAndPoll("q");
  EXPECT_EQ(TakeBack(), 1);
  pair_.client.Ended();
  EXPECT_EQ(freed_, 1);
  EXPECT_EQ(pair_.client.busy(), 0);
}

}  // namespace
}  // namespace grpc_cxl::internal
