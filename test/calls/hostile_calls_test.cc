// SPDX-License-Identifier: Apache-2.0
// A lying peer costs its own connection and nothing else: every word that the client reads is set
// to what it must not be, and those of the server's that break nothing. (What breaks the server's
// end of the connection is protocol_test's; calls_fuzz tries any value at any moment.)

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "test/calls/call_pair.h"

namespace grpc_cxl::internal {
namespace {

using Kind = CallOutcome::Kind;

class HostileCallsTest : public ::testing::Test {
 protected:
  CallPair pair_;
  const int slot_ = pair_.Post("q");
};

TEST_F(HostileCallsTest, CancellationsOfNothingAndUnknownWaitersAreNothing) {
  pair_.client_words().look.cancelled = ~uint64_t{0};
  pair_.client_slot(slot_).waiter = 0xffffffff;
  EXPECT_TRUE(pair_.Serve("a").ok());
  EXPECT_FALSE(pair_.ServerReady());
  EXPECT_EQ(pair_.wakes_to_client, 0);
  EXPECT_EQ(pair_.Wait(slot_).response, "a");
}

TEST_F(HostileCallsTest, APriorityThatIsNoneIsTheDefault) {
  const auto taken = [&] {
    const ServerCalls::News news = pair_.server.Run();
    const ServerCalls::CallId call = news.taken.at(0).id;
    pair_.server.Respond(call, "a");
    return call.priority;
  };
  pair_.client_slot(slot_).priority = 3;
  EXPECT_EQ(taken(), Priority::kDefault);
  pair_.Wait(slot_);
  for (const Priority priority : {Priority::kInteractive, Priority::kBulk, Priority::kDefault}) {
    const int slot = pair_.client.Acquire();
    pair_.client.Post(slot, 0, SIZE_MAX, priority);
    EXPECT_EQ(taken(), priority);
    pair_.Wait(slot);
  }
}

TEST_F(HostileCallsTest, AWaitingCallIsTakenAsItWasSeen) {
  const auto no_room = [](Priority) { return false; };
  const ServerCalls::News news = pair_.server.Run(no_room);
  ASSERT_EQ(news.waiting.size(), 1u);
  pair_.client_slot(slot_).generation = 77;
  pair_.client_slot(slot_).request_bytes = 1 << 30;
  const auto taken = pair_.server.TakeWaiting(news.waiting[0]);
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(taken->request, "q");
  pair_.server.Respond(taken->id, "a");
  EXPECT_EQ(pair_.Wait(slot_).response, "a");
}

TEST_F(HostileCallsTest, AWaitingCallIsNotPostedAgain) {
  const auto no_room = [](Priority) { return false; };
  ASSERT_TRUE(pair_.server.Run(no_room).status.ok());
  pair_.client_words().look.posted = pair_.client_words().look.posted ^ (uint64_t{1} << slot_);
  EXPECT_TRUE(absl::IsDataLoss(pair_.server.Run(no_room).status));
}

TEST_F(HostileCallsTest, AResponseLargerThanItsBuffer) {
  pair_.Poll(slot_);
  pair_.server_slot(slot_).part_bytes = CallPair::kBuffer + 1;
  pair_.server_slot(slot_).word = MakeCallWord(pair_.generation, 0, CallState::kDone);
  pair_.server_words().look.news = 1;
  EXPECT_TRUE(absl::IsDataLoss(pair_.client.Run()));
  ASSERT_TRUE(pair_.outcome.has_value());
  EXPECT_EQ(pair_.outcome->kind, Kind::kBroken);
}

TEST(HostileServerTest, PartsOutOfOrderAndStatesThatAreNone) {
  for (const uint32_t word :
       {MakeCallWord(1, 1, CallState::kDone), MakeCallWord(1, 7, CallState::kPart),
        MakeCallWord(1, 0, static_cast<CallState>(5)),
        MakeCallWord(1, 0, static_cast<CallState>(7)),
        MakeCallWord(1, 0, CallState::kPart)}) {  // a part of no bytes
    CallPair pair;
    const int slot = pair.Post("q");
    ASSERT_EQ(pair.generation, 1u);
    pair.server_slot(slot).word = word;
    EXPECT_EQ(pair.Wait(slot).kind, Kind::kBroken) << word;
  }
}

TEST_F(HostileCallsTest, WordsOfOtherCallsAreNoAnswer) {
  for (const uint32_t generation : {0u, 2u, 0xffffu}) {
    for (uint32_t state = 0; state < 8; ++state) {
      pair_.server_slot(slot_).word = MakeCallWord(generation, 0, static_cast<CallState>(state));
      CallOutcome outcome;
      PastWait past;
      EXPECT_EQ(pair_.client.Wait(slot_, 0, 0, &outcome, &past),
                ClientCalls::Waited::kStillRunning);
    }
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
