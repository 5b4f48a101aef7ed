// SPDX-License-Identifier: Apache-2.0
// Both halves of several call areas: the client opens them as it needs them, if the server has
// memory for them, and a slot of each does what one of the first does.

#include <atomic>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "grpc_cxl/calls/client_call_areas.h"
#include "grpc_cxl/calls/server_call_areas.h"
#include "gtest/gtest.h"
#include "test/support/eventually.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kBuffer = kPageBytes;
constexpr size_t kAreas = 3;

class CallAreasTest : public ::testing::Test {
 protected:
  CallAreasTest() { server_.SetAccepting(true); }

  int Post(const std::string& request) {
    const int slot = client_.Acquire();
    if (slot < 0) return slot;
    memcpy(client_.RequestBuffer(slot).data(), request.data(), request.size());
    generations_[slot] = client_.Post(slot, request.size(), SIZE_MAX);
    client_.WhenDone(slot, [this, slot](CallOutcome outcome) { outcomes_[slot] = outcome; });
    return slot;
  }
  // As many calls as get a slot; the server takes each at once.
  int PostAll() {
    int posts = 0;
    while (Post(std::to_string(posts)) >= 0) {
      ++posts;
      Take();
    }
    return posts;
  }
  void Take() {
    EXPECT_TRUE(server_.Ready());
    ServerCalls::News news = server_.Run();
    EXPECT_TRUE(news.status.ok()) << news.status;
    for (ServerCalls::TakenCall& call : news.taken) taken_.push_back(std::move(call));
    for (const ServerCalls::CallId& call : news.cancelled) cancelled_.push_back(call.slot);
  }

  struct alignas(kPageBytes) Page {
    char bytes[kPageBytes] = {};
  };
  std::vector<Page> pages_{kAreas * CallAreaBytes(kBuffer) / kPageBytes};
  const absl::Span<char> memory_{pages_[0].bytes, pages_.size() * kPageBytes};
  struct Budget : CallBudget {
    bool Take(size_t bytes) override {
      if (bytes > left) return false;
      left -= bytes;
      return true;
    }
    void Give(size_t bytes) override { left += bytes; }
    size_t left = kPlenty;
  };
  static constexpr size_t kPlenty = 100 << 20;
  const std::shared_ptr<Budget> budget_ = std::make_shared<Budget>();
  ClientCallAreas client_{memory_,         kBuffer,
                          kAreas,          [] {},
                          SharedView(),
                          /*polls=*/false, SpinBudget(WaitPolicy::kPark, absl::ZeroDuration()),
                          ArenaPages()};
  ServerCallAreas server_{memory_, kBuffer, kAreas, budget_, [] {}, SharedView(), ArenaPages()};
  std::vector<ServerCalls::TakenCall> taken_;
  std::vector<int> cancelled_;
  std::map<int, CallOutcome> outcomes_;
  std::map<int, uint32_t> generations_;
};

TEST_F(CallAreasTest, CallsFillOneAreaAfterTheOther) {
  EXPECT_EQ(PostAll(), kAreas * 64);
  EXPECT_EQ(client_.busy(), 192);
  EXPECT_EQ(client_.posts(), 192u);
  EXPECT_EQ(server_.busy(), 192);
  EXPECT_EQ(server_.running(), 192);
  EXPECT_EQ(server_.calls_seen(), 192u);
  for (const auto& call : taken_) server_.Respond(call.id, call.request + "!");
  EXPECT_TRUE(client_.Ready());
  ASSERT_TRUE(client_.Run().ok());
  for (int slot = 0; slot < 192; ++slot) {
    EXPECT_EQ(outcomes_[slot].kind, CallOutcome::Kind::kResponse);
    EXPECT_EQ(outcomes_[slot].response, std::to_string(slot) + "!");
  }
  EXPECT_EQ(client_.busy() + server_.busy() + server_.running(), 0);
}

TEST_F(CallAreasTest, FewCallsNeedOne) {
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(Post("q"), 0);
    Take();
    server_.Respond(taken_.back().id, "a");
    ASSERT_TRUE(client_.Run().ok());
  }
  EXPECT_EQ(budget_->left, kPlenty);
}

TEST_F(CallAreasTest, AServerWithoutMemoryKeepsItClosed) {
  budget_->left = kCallBuffersAt - 1;
  EXPECT_EQ(PostAll(), 64);
  EXPECT_FALSE(server_.Ready());
  // When there is memory, news of a later call open it.
  budget_->left = kPlenty;
  EXPECT_TRUE(Eventually([this] {
    server_.Run();
    return Post("q") >= 0;
  }));
}

// For each call that they are first used for.
TEST_F(CallAreasTest, SlotsWithoutMemoryForTheirBuffersAreRefused) {
  budget_->left = kCallBuffersAt + 2 * kBuffer;
  EXPECT_GT(PostAll(), 64);
  EXPECT_EQ(server_.busy(), 65);
  EXPECT_EQ(budget_->left, 0u);
  ASSERT_TRUE(client_.Run().ok());
  EXPECT_EQ(outcomes_[64 + 1].kind, CallOutcome::Kind::kNotRun);
}

TEST_F(CallAreasTest, AnAreaOpensWithoutACallWhereNoneAreTaken) {
  for (int i = 0; i < 40; ++i) Post("q");
  server_.SetAccepting(false);
  Take();
  for (int i = 40; i < 64; ++i) Post("q");
  EXPECT_LT(Post("q"), 0);
}

TEST_F(CallAreasTest, NoCallBeforeTheServerLooks) {
  for (int i = 0; i < 64; ++i) EXPECT_EQ(Post("q"), i);
  EXPECT_EQ(Post("q"), -1);
  Take();
  EXPECT_EQ(Post("q"), 64);
}

TEST_F(CallAreasTest, CrowdedWithoutTheAreasThatTheServerHasNotOpened) {
  budget_->left = 0;
  for (int i = 0; i < 48; ++i) Post("q");
  Take();
  EXPECT_FALSE(client_.Crowded());
  Post("q");
  EXPECT_TRUE(client_.Crowded());
  budget_->left = kPlenty;
  EXPECT_TRUE(Eventually([this] {
    server_.Run();
    return !client_.Crowded();
  }));
}

TEST_F(CallAreasTest, WhatAnotherAreaHasNotTakenIsTakenBack) {
  for (int i = 0; i < 64; ++i) Post("q");
  Take();
  EXPECT_EQ(Post("q"), 64);
  int freed = 0;
  EXPECT_EQ(client_.TakeBack([&] { ++freed; }), 1);
  EXPECT_EQ(outcomes_[64].kind, CallOutcome::Kind::kNotRun);
  Take();
  ASSERT_TRUE(client_.Run().ok());
  EXPECT_EQ(freed, 1);
  EXPECT_EQ(client_.busy(), 64);
}

TEST_F(CallAreasTest, ACallOfAnotherAreaIsCancelled) {
  PostAll();
  client_.Cancel(130, generations_[130]);
  Take();
  EXPECT_EQ(cancelled_, std::vector<int>{130});
}

TEST_F(CallAreasTest, TheEndReachesAll) {
  PostAll();
  server_.SetAccepting(false);
  EXPECT_FALSE(client_.Accepting());
  client_.Retire();
  client_.Ended();
  EXPECT_EQ(outcomes_.size(), 192u);
  EXPECT_EQ(client_.busy(), 0);
  EXPECT_LT(client_.Acquire(), 0);
}

// Callers, the server and the end of the connection, each on a thread of its own.
TEST_F(CallAreasTest, ThreadsThatMeet) {
  std::atomic<bool> stop{false};
  std::atomic<int> posted{0}, over{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        const int slot = client_.Acquire();
        if (slot < 0) continue;
        client_.RequestBuffer(slot)[0] = 'q';
        client_.Post(slot, 1, SIZE_MAX);
        ++posted;
        client_.WhenDone(slot, [&](const CallOutcome&) { ++over; });
      }
    });
  }
  threads.emplace_back([&] {
    std::vector<ServerCalls::CallId> held;
    for (int turn = 0; !stop; ++turn) {
      for (const auto& call : server_.Run().taken) held.push_back(call.id);
      if (turn % 64 != 0) continue;  // so that slots become scarce
      for (const ServerCalls::CallId& call : held) server_.Respond(call, "a");
      held.clear();
    }
    for (const ServerCalls::CallId& call : held) server_.Respond(call, "a");
  });
  EXPECT_TRUE(Eventually([&] {
    EXPECT_TRUE(client_.Run().ok());
    return over > 20'000 && budget_->left < kPlenty;
  }));
  client_.Retire();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  client_.Ended();
  EXPECT_EQ(posted, over);
  EXPECT_EQ(client_.busy(), 0);
}

TEST_F(CallAreasTest, NoMoreThanThereAre) {
  auto& more = reinterpret_cast<CallClientWords*>(memory_.data())->more_areas;
  more.store(kAreas - 1);
  EXPECT_TRUE(server_.Run().status.ok());
  more.store(0);
  EXPECT_FALSE(server_.Ready());
  more.store(kAreas);
  EXPECT_TRUE(server_.Ready());
  EXPECT_EQ(server_.Run().status.code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace grpc_cxl::internal
