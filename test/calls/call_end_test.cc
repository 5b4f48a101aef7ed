// SPDX-License-Identifier: Apache-2.0

// Proves that a call is never run when its client was told that it was not, with each side
// stopped at the worst moment of the protocol in call_layout.h: between its write and its
// write-back. Only the checker can stop them there, so this runs under it alone.

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "test/calls/call_pair.h"
#include "test/coherence/checker.h"

namespace grpc_cxl::internal {
namespace {

using Kind = CallOutcome::Kind;

// Runs `what` once, when a side is about to write back the line of `word`.
class Interruption {
 public:
  Interruption(const void* word, std::function<void()> what) {
    Checker::SetHook(word, [this, what = std::move(what)] {
      if (!std::exchange(came_, true)) what();
    });
  }
  ~Interruption() { Checker::SetHook(nullptr, nullptr); }
  bool came() const { return came_; }

 private:
  bool came_ = false;
};

class CallEndTest : public ::testing::Test {
 protected:
  CallEndTest() {
    EXPECT_TRUE(TestMemoryModel().private_copy) << "to be run under the checker";
    slot_ = pair_.Post("q");
    pair_.client.WhenDone(slot_, [this](CallOutcome o) { outcome_ = std::move(o); });
  }
  void Serve() {
    const ServerCalls::News news = pair_.server.Run();
    ASSERT_TRUE(news.status.ok());
    ran_ += static_cast<int>(news.taken.size());
  }

  CallPair pair_;
  int slot_ = -1;
  std::optional<CallOutcome> outcome_;
  int ran_ = 0;
};

TEST_F(CallEndTest, TakenBackWhileTheServerTakesIt) {
  Interruption server(pair_.server_side.At(&pair_.server_slot(slot_).word),
                      [this] { pair_.client.Ended(); });
  Serve();
  ASSERT_TRUE(server.came());
  ASSERT_TRUE(outcome_.has_value());
  EXPECT_EQ(outcome_->kind, Kind::kNotRun);
  EXPECT_EQ(ran_, 0);
}

TEST_F(CallEndTest, TakenWhileTheClientTakesItBack) {
  Interruption client(pair_.client_side.At(&pair_.client_slot(slot_).cancelled_generation),
                      [this] { Serve(); });
  pair_.client.Ended();
  ASSERT_TRUE(client.came());
  ASSERT_TRUE(outcome_.has_value());
  EXPECT_EQ(outcome_->kind, Kind::kLost);
  EXPECT_EQ(ran_, 1);
}

TEST_F(CallEndTest, TakenBackBeforeTheServerLooks) {
  pair_.client.Ended();
  Serve();
  EXPECT_EQ(outcome_->kind, Kind::kNotRun);
  EXPECT_EQ(ran_, 0);
}

TEST_F(CallEndTest, TakenBeforeTheEnd) {
  Serve();
  pair_.client.Ended();
  EXPECT_EQ(outcome_->kind, Kind::kLost);
  EXPECT_EQ(ran_, 1);
}

}  // namespace
}  // namespace grpc_cxl::internal
