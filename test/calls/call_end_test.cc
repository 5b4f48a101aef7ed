// SPDX-License-Identifier: Apache-2.0

// Proves that a call is never run when its client was told that it was not, and that a client hears
// of its call, with each side stopped at the worst moment of the protocols in call_layout.h:
// between its write and its write-back. Only the checker can stop them there, so this runs under it
// alone.

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "test/calls/call_pair.h"
#include "test/coherence/interruption.h"

namespace grpc_cxl::internal {
namespace {

using Kind = CallOutcome::Kind;

bool NoRoom(Priority) { return false; }

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

  // The server does `take`, and both see each other's word: the line of the server's is written
  // back by its cache. Then neither runs the call, and the client hears so.
  void LetBothSeeEachOther(const std::function<void()>& take) {
    const SharedU32* const word = pair_.server_side.At(&pair_.server_slot(slot_).word);
    std::optional<Interruption> client;
    Interruption server(word, [&] {
      client.emplace(pair_.client_side.At(&pair_.client_slot(slot_).cancelled_generation), [&] {
        pair_.server_side.view().Publish({reinterpret_cast<const char*>(word), sizeof(*word)});
      });
      EXPECT_EQ(pair_.client.TakeBack([] {}), 0);
    });
    take();
    ASSERT_TRUE(client.has_value() && client->came());
    EXPECT_EQ(ran_, 0);
    EXPECT_FALSE(outcome_.has_value());
    EXPECT_TRUE(pair_.ClientReady());
    EXPECT_TRUE(pair_.client.Run().ok());
    ASSERT_TRUE(outcome_.has_value());
    EXPECT_EQ(outcome_->kind, Kind::kNotRun);
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

// The same while the connection goes on.
TEST_F(CallEndTest, MovedWhileTheServerTakesIt) {
  Interruption server(pair_.server_side.At(&pair_.server_slot(slot_).word),
                      [this] { EXPECT_EQ(pair_.client.TakeBack([] {}), 1); });
  Serve();
  ASSERT_TRUE(server.came());
  EXPECT_EQ(outcome_->kind, Kind::kNotRun);
  EXPECT_EQ(ran_, 0);
}

TEST_F(CallEndTest, TakenWhileTheClientMovesIt) {
  Interruption client(pair_.client_side.At(&pair_.client_slot(slot_).cancelled_generation),
                      [this] { Serve(); });
  EXPECT_EQ(pair_.client.TakeBack([] {}), 0);
  ASSERT_TRUE(client.came());
  EXPECT_FALSE(outcome_.has_value()) << "it goes on";
  EXPECT_EQ(ran_, 1);
}

TEST_F(CallEndTest, BothSeeEachOther) {
  LetBothSeeEachOther([this] { Serve(); });
}

// The end finds a call that nobody waits for yet: its thread looks, or leaves it to the polling
// one.
TEST(CallEndOfThreadTest, TakenWhileItsThreadTakesItBack) {
  for (const bool polled : {false, true}) {
    CallPair pair;
    const int slot = pair.Post("q");
    pair.client.Ended();
    Interruption client(pair.client_side.At(&pair.client_slot(slot).cancelled_generation),
                        [&pair] { EXPECT_EQ(pair.server.Run().taken.size(), 1u); });
    if (polled) pair.Poll(slot);
    EXPECT_EQ((polled ? *pair.outcome : pair.Wait(slot)).kind, Kind::kLost);
    EXPECT_TRUE(client.came());
  }
}

TEST(CallEndOfThreadTest, TakenBackBeforeTheServerLooks) {
  for (const bool polled : {false, true}) {
    CallPair pair;
    const int slot = pair.Post("q");
    pair.client.Ended();
    if (polled) pair.Poll(slot);
    EXPECT_EQ((polled ? *pair.outcome : pair.Wait(slot)).kind, Kind::kNotRun);
    EXPECT_TRUE(pair.server.Run().taken.empty());
  }
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

// A call for which the server had no room when it came.
class WaitingCallEndTest : public CallEndTest {
 protected:
  WaitingCallEndTest() {
    ServerCalls::News news = pair_.server.Run(NoRoom);
    EXPECT_EQ(news.waiting.size(), 1u);
    waiting_ = news.waiting.at(0);
  }
  void TakeWaiting() { ran_ += pair_.server.TakeWaiting(waiting_).has_value() ? 1 : 0; }

  ServerCalls::CallId waiting_{};
};

TEST_F(WaitingCallEndTest, TakenBackWhileTheServerTakesIt) {
  Interruption server(pair_.server_side.At(&pair_.server_slot(slot_).word),
                      [this] { pair_.client.Ended(); });
  TakeWaiting();
  ASSERT_TRUE(server.came());
  ASSERT_TRUE(outcome_.has_value());
  EXPECT_EQ(outcome_->kind, Kind::kNotRun);
  EXPECT_EQ(ran_, 0);
}

TEST_F(WaitingCallEndTest, TakenWhileTheClientTakesItBack) {
  Interruption client(pair_.client_side.At(&pair_.client_slot(slot_).cancelled_generation),
                      [this] { TakeWaiting(); });
  pair_.client.Ended();
  ASSERT_TRUE(client.came());
  ASSERT_TRUE(outcome_.has_value());
  EXPECT_EQ(outcome_->kind, Kind::kLost);
  EXPECT_EQ(ran_, 1);
}

TEST_F(WaitingCallEndTest, BothSeeEachOther) {
  LetBothSeeEachOther([this] { TakeWaiting(); });
}

// The thread of a call that is at each of these steps leaves it to the polling thread just when the
// server, which has seen that thread look by itself, tells the next one.
TEST(CallTellTest, ACallThatIsLeftToThePollingThreadMeanwhileIsHeardOf) {
  struct Step {
    CallPair pair;
    int slot = pair.Post("q");
    ServerCalls::CallId id{};
    void Take() { id = pair.server.Run().taken.at(0).id; }
    void LetWait() { id = pair.server.Run(NoRoom).waiting.at(0); }
  };
  const struct {
    const char* name;
    Kind kind;
    std::function<void(Step&)> before, tell;
  } kSteps[] = {
      {"answered", Kind::kResponse, &Step::Take,
       [](Step& step) { step.pair.server.Respond(step.id, "a"); }},
      {"another part", Kind::kResponse,
       [](Step& step) {
         step.Take();
         step.pair.server.Respond(step.id, std::string(CallPair::kBuffer + 1, 'a'));
         CallOutcome outcome;
         PastWait past;
         EXPECT_EQ(step.pair.client.Wait(step.slot, 0, 0, &outcome, &past),
                   ClientCalls::Waited::kStillRunning);
       },
       [](Step& step) { EXPECT_TRUE(step.pair.server.Run().status.ok()); }},
      {"not taken", Kind::kNotRun, [](Step& step) { step.pair.server.SetAccepting(false); },
       [](Step& step) { EXPECT_EQ(step.pair.server.Run().refused, 1u); }},
      {"not taken in its turn", Kind::kNotRun,
       [](Step& step) {
         step.LetWait();
         step.pair.server.SetAccepting(false);
       },
       [](Step& step) { EXPECT_FALSE(step.pair.server.TakeWaiting(step.id).has_value()); }},
      {"refused when it waits", Kind::kNotRun, &Step::LetWait,
       [](Step& step) { EXPECT_TRUE(step.pair.server.Refuse(step.id)); }},
      {"withdrawn", Kind::kNotRun,
       [](Step& step) {
         step.LetWait();
         step.pair.client.Cancel(step.slot, step.pair.generation);
       },
       [](Step& step) { EXPECT_EQ(step.pair.server.Run(NoRoom).withdrawn.size(), 1u); }},
  };
  for (const auto& [name, kind, before, tell] : kSteps) {
    SCOPED_TRACE(name);
    Step step;
    before(step);
    step.pair.wakes_to_client = 0;
    Interruption server(step.pair.server_side.At(&step.pair.server_slot(step.slot).word),
                        [&] { step.pair.Poll(step.slot); });
    tell(step);
    ASSERT_TRUE(server.came());
    EXPECT_FALSE(step.pair.outcome.has_value());
    EXPECT_EQ(step.pair.wakes_to_client, 1);
    EXPECT_TRUE(step.pair.ClientReady());
    ASSERT_TRUE(step.pair.client.Run().ok());
    ASSERT_TRUE(step.pair.outcome.has_value());
    EXPECT_EQ(step.pair.outcome->kind, kind);
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
