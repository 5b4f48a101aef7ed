// SPDX-License-Identifier: Apache-2.0
// Both halves of several call areas: the client opens them as it needs them, if the server has
// memory for them, and a slot of each does what one of the first does.

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "grpc_cxl/calls/client_call_areas.h"
#include "grpc_cxl/calls/server_call_areas.h"
#include "gtest/gtest.h"

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
  size_t left_ = SIZE_MAX;  // of the server's budget
  ClientCallAreas client_{memory_,         kBuffer,
                          kAreas,          [] {},
                          SharedView(),
                          /*polls=*/false, SpinBudget(WaitPolicy::kPark, absl::ZeroDuration()),
                          ArenaPages()};
  ServerCallAreas server_{memory_,
                          kBuffer,
                          kAreas,
                          [this](size_t bytes) {
                            if (bytes > left_) return false;
                            left_ -= bytes;
                            return true;
                          },
                          [] {},
                          SharedView(),
                          ArenaPages()};
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
  EXPECT_EQ(left_, SIZE_MAX);
}

TEST_F(CallAreasTest, AServerWithoutMemoryKeepsItClosed) {
  left_ = CallAreaBytes(kBuffer);
  EXPECT_EQ(PostAll(), 128);
  EXPECT_FALSE(server_.Ready());
}

TEST_F(CallAreasTest, NoCallBeforeTheServerLooks) {
  for (int i = 0; i < 64; ++i) EXPECT_EQ(Post("q"), i);
  EXPECT_EQ(Post("q"), -1);
  Take();
  EXPECT_EQ(Post("q"), 64);
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

TEST_F(CallAreasTest, ARetiredClientOpensNone) {
  for (int i = 0; i < 40; ++i) Post("q");
  client_.Retire();
  EXPECT_LT(client_.Acquire(), 0);
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
