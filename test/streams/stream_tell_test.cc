// SPDX-License-Identifier: Apache-2.0

// Proves that a stream which its client takes back does not run, and that a client hears of each
// step of its stream, with a side stopped at the worst moment: between its write and its
// write-back. Only the checker can stop it there, so this runs under it alone.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status_matchers.h"
#include "test/coherence/interruption.h"
#include "test/streams/streams_fixture.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;

class StreamTellTest : public StreamsTest {
 public:
  StreamTellTest() {
    EXPECT_TRUE(TestMemoryModel().private_copy) << "to be run under the checker";
    server_.SetAccepting(true);
    stream_ = Open();
    stream_->Post();
  }
  void Look() { EXPECT_THAT(Serve(), IsOk()); }
  void LetWait() {
    has_room_ = false;
    Look();
    ASSERT_EQ(waiting_.size(), 1u);
  }
  bool TakeWaiting() {
    return server_.TakeWaiting(waiting_.at(0), [this](auto stream, Priority priority) {
      return Take(std::move(stream), priority);
    });
  }
  void StopAccepting() { server_.SetAccepting(false); }
  void TakeNone() { takes_ = false; }
  void RefuseWaiting() { EXPECT_TRUE(server_.Refuse(waiting_.at(0))); }
  void Cancel() { stream_->Cancel(); }
  void LeaveRecordUnfinished() {
    Look();
    EXPECT_THAT(Write(*taken_.at(0), StreamRecord::kMessage, std::string(kStreamRingBytes, 'x')),
                IsOk());
    EXPECT_EQ(Read(*stream_), "nothing");
  }
  void Flush() { EXPECT_THAT(taken_.at(0)->Flush(), IsOk()); }

 protected:
  std::unique_ptr<ClientStream> stream_;
};

TEST_F(StreamTellTest, ATakenBackOneThatWaitedDoesNotRun) {
  LetWait();
  Interruption server(&Memory(server_side_).server_slot(0).word,
                      [this] { EXPECT_TRUE(stream_->TakeBack()); });
  TakeWaiting();
  ASSERT_TRUE(server.came());
  EXPECT_EQ(stream_->state(), StreamState::kRefused);
  EXPECT_EQ(server_user_->news, 0);
}

TEST_F(StreamTellTest, ARefusedOneThatWasClosedLeavesItsSlotFree) {
  LetWait();
  stream_->Close();
  RefuseWaiting();
  EXPECT_EQ(server_.busy(), 0);
  EXPECT_EQ(stream_->state(), StreamState::kIdle);
}

TEST_F(StreamTellTest, TheServerHearsOfWhatIsFlushed) {
  EXPECT_THAT(Write(*stream_, StreamRecord::kMessage, std::string(kStreamRingBytes, 'x')), IsOk());
  Look();
  EXPECT_EQ(Read(*taken_.at(0)), "nothing");
  Look();
  EXPECT_FALSE(server_.Ready());
  EXPECT_THAT(stream_->Flush(), IsOk());
  EXPECT_TRUE(server_.Ready());
  EXPECT_EQ(Read(*taken_.at(0)), std::string(kStreamRingBytes, 'x'));
}

// The server reads while the client stores that it waits for space.
TEST_F(StreamTellTest, SpaceThatComesMeanwhileIsUsed) {
  Look();
  const std::string first(kStreamRingBytes / 2, 'x'), second(kStreamRingBytes / 2, 'y');
  EXPECT_THAT(Write(*stream_, StreamRecord::kMessage, first), IsOk());
  Interruption client(&Memory(client_side_).client_slot(0).tx.want_space,
                      [&] { EXPECT_EQ(Read(*taken_.at(0)), first); });
  EXPECT_THAT(Write(*stream_, StreamRecord::kMessage, second), IsOk());
  ASSERT_TRUE(client.came());
  EXPECT_TRUE(stream_->all_written());
  EXPECT_EQ(Read(*taken_.at(0)), second);
}

struct Step {
  std::string name;
  StreamState state;  // after it
  std::function<void(StreamTellTest&)> before, tell;
};

class StreamStepTest : public StreamTellTest, public ::testing::WithParamInterface<Step> {
 protected:
  StreamStepTest() { GetParam().before(*this); }
};

TEST_P(StreamStepTest, IsNewsOfItsSlot) {
  const uint32_t news = stream_->news();
  GetParam().tell(*this);
  EXPECT_NE(stream_->news(), news);
  EXPECT_EQ(stream_->state(), GetParam().state);
  EXPECT_FALSE(client_.Ready());
}

// The server stores the news while the client looks by itself.
TEST_P(StreamStepTest, IsHeardOfByAClientThatBeginsToWaitMeanwhile) {
  Interruption server(&server_side_.At(&image_->server_news)->of_slot[0],
                      [this] { stream_->SetWaiter(kStreamPolled); });
  GetParam().tell(*this);
  ASSERT_TRUE(server.came());
  EXPECT_TRUE(client_.Ready());
  client_.Run();
  EXPECT_EQ(user_->news, 1);
}

void Nothing(StreamTellTest&) {}
void TakeWaiting(StreamTellTest& test) { test.TakeWaiting(); }
constexpr StreamState kTaken = StreamState::kTaken, kRefused = StreamState::kRefused;

INSTANTIATE_TEST_SUITE_P(
    Steps, StreamStepTest,
    ::testing::Values(
        Step{"Taken", kTaken, Nothing, &StreamTellTest::Look},
        Step{"TakenInItsTurn", kTaken, &StreamTellTest::LetWait, TakeWaiting},
        Step{"NotTaken", kRefused, &StreamTellTest::TakeNone, &StreamTellTest::Look},
        Step{"NotTakenInItsTurn", kRefused,
             [](StreamTellTest& test) {
               test.LetWait();
               test.TakeNone();
             },
             TakeWaiting},
        Step{"NotAccepted", kRefused, &StreamTellTest::StopAccepting, &StreamTellTest::Look},
        Step{"NotAcceptedInItsTurn", kRefused,
             [](StreamTellTest& test) {
               test.LetWait();
               test.StopAccepting();
             },
             TakeWaiting},
        Step{"RefusedWhenItWaits", kRefused, &StreamTellTest::LetWait,
             &StreamTellTest::RefuseWaiting},
        Step{"Withdrawn", kRefused,
             [](StreamTellTest& test) {
               test.LetWait();
               test.Cancel();
             },
             &StreamTellTest::Look},
        Step{"Flushed", kTaken, &StreamTellTest::LeaveRecordUnfinished, &StreamTellTest::Flush}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace grpc_cxl::internal
