// SPDX-License-Identifier: Apache-2.0

// Proves that a call that its client takes back while the connection goes on never runs, that one
// which the server has taken goes on, and that its slot is used again only when the server has seen
// all of that, be the server in the middle of taking it or stopped.

#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "gtest/gtest.h"
#include "test/calls/call_pair.h"
#include "test/support/budget.h"

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

// A server that takes and answers, clients that post, and a thread that takes back all the time.
TEST_F(TakeBackTest, EachCallRunsOrWasTakenBack) {
  const int kCalls = static_cast<int>(Budget(20'000));
  std::atomic<bool> over{false};
  std::atomic<int> freed{0};
  absl::Mutex mu;
  std::set<std::string> ran;
  std::thread server([&] {
    while (!over || pair_.client.busy() > 0) {
      ServerCalls::News news = pair_.server.Run();
      EXPECT_TRUE(news.status.ok());
      for (ServerCalls::TakenCall& call : news.taken) {
        {
          absl::MutexLock lock(mu);
          ran.insert(call.request);
        }
        pair_.server.Respond(call.id, call.request);
      }
      Look();
      std::this_thread::yield();
    }
  });
  std::thread taker([&] {
    while (!over) {
      pair_.client.TakeBack([&] { ++freed; });
      std::this_thread::yield();
    }
  });
  int not_run = 0;
  for (int i = 0; i < kCalls; ++i) {
    const std::string request = std::to_string(i);
    const int slot = pair_.Post(request);
    if (slot < 0) {  // all wait for the server
      std::this_thread::yield();
      --i;
      continue;
    }
    std::atomic<int> outcomes{0};
    Kind kind{};
    pair_.client.WhenDone(slot, [&](const CallOutcome& outcome) {
      kind = outcome.kind;
      ++outcomes;
    });
    while (outcomes == 0) std::this_thread::yield();
    ASSERT_EQ(outcomes, 1);
    if (kind == Kind::kNotRun) ++not_run;
    absl::MutexLock lock(mu);
    ASSERT_EQ(ran.count(request), kind == Kind::kResponse ? 1u : 0u) << request;
  }
  over = true;
  taker.join();
  server.join();
  EXPECT_EQ(pair_.client.busy(), 0);
  EXPECT_LE(freed, not_run);  // the others were refused before
  // Nothing runs later.
  EXPECT_EQ(ran.size(), static_cast<size_t>(kCalls - not_run));
  RecordProperty("taken_back", not_run);
}

}  // namespace
}  // namespace grpc_cxl::internal
