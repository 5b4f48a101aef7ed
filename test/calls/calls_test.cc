// SPDX-License-Identifier: Apache-2.0
// The protocol of direct calls between honest sides: every posted call has exactly one
// outcome, responses of any size arrive whole, and a call that may have run is never
// reported as one that has not.

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "test/calls/call_pair.h"
#include "test/support/eventually.h"

namespace grpc_cxl::internal {
namespace {

using Kind = CallOutcome::Kind;

constexpr size_t kBuffer = CallPair::kBuffer;
constexpr int64_t kSecond = 1'000'000'000;

class CallsTest : public ::testing::Test {
 protected:
  CallPair pair_;
};

TEST_F(CallsTest, RequestAndResponseArriveWhole) {
  EXPECT_FALSE(pair_.ServerReady());
  const int slot = pair_.Post("question");
  EXPECT_EQ(pair_.wakes_to_server, 1);
  EXPECT_TRUE(pair_.ServerReady());
  ASSERT_TRUE(pair_.Serve("answer").ok());
  EXPECT_FALSE(pair_.ServerReady());
  EXPECT_EQ(pair_.last_request, "question");
  const CallOutcome outcome = pair_.Wait(slot);
  EXPECT_EQ(outcome.kind, Kind::kResponse);
  EXPECT_EQ(outcome.response, "answer");
  EXPECT_EQ(pair_.client.busy(), 0);
  EXPECT_EQ(pair_.server.busy(), 0);
  EXPECT_EQ(pair_.wakes_to_client, 0) << "nobody needed to be woken";
}

// The first bytes come to the server with the slot, the others later.
TEST_F(CallsTest, LongRequestsArriveWhole) {
  for (const size_t bytes : {size_t{255}, size_t{256}, size_t{257}, kBuffer}) {
    const std::string request(bytes, static_cast<char>(bytes));
    const int slot = pair_.Post(request);
    ASSERT_TRUE(pair_.Serve("a").ok());
    EXPECT_TRUE(pair_.last_request == request) << bytes;
    EXPECT_EQ(pair_.Wait(slot).response, "a");
  }
}

TEST_F(CallsTest, LargeResponsesComeInParts) {
  std::string response;
  std::atomic<bool> done{false};
  std::thread server([&] {
    for (; !done; std::this_thread::yield()) {
      if (!pair_.ServerReady()) continue;
      ASSERT_TRUE(pair_.Serve(response).ok());
    }
  });
  for (const size_t bytes :
       {size_t{0}, size_t{1}, kBuffer - 1, kBuffer, kBuffer + 1, 10 * kBuffer, size_t{1'000'000}}) {
    response.resize(bytes);
    for (size_t i = 0; i < bytes; ++i) response[i] = static_cast<char>(i * 31 % 251);
    const CallOutcome outcome = pair_.Wait(pair_.Post("q"), /*spin_ns=*/bytes % 2 * 60 * kSecond);
    EXPECT_EQ(outcome.kind, Kind::kResponse);
    EXPECT_TRUE(outcome.response == response) << bytes << " bytes";
  }
  done = true;
  server.join();
}

TEST_F(CallsTest, ResponsesOverTheLimitAreCutNotKept) {
  pair_.Poll(pair_.Post("q", /*limit=*/kBuffer));
  while (!pair_.outcome.has_value()) {
    ASSERT_TRUE(pair_.Serve(std::string(100 * kBuffer, 'x')).ok());
    ASSERT_TRUE(pair_.client.Run().ok());
  }
  EXPECT_EQ(pair_.outcome->kind, Kind::kTooLarge);
  EXPECT_EQ(pair_.outcome->response.size(), kBuffer);
}

// A call is left to the polling thread at once, while it runs, or when it is done.
TEST_F(CallsTest, PolledCallsAreWokenForAndDeliveredByRun) {
  for (const int left_after : {0, 1, 2}) {
    pair_.outcome.reset();
    pair_.wakes_to_client = 0;
    const int slot = pair_.Post("q");
    if (left_after == 0) pair_.Poll(slot);
    const ServerCalls::News news = pair_.server.Run();
    ASSERT_EQ(news.taken.size(), 1);
    if (left_after == 1) pair_.Poll(slot);
    EXPECT_FALSE(pair_.ClientReady());
    const std::string response = std::to_string(left_after);
    pair_.server.Respond(news.taken[0].id, response);
    if (left_after == 2) {
      pair_.Poll(slot);
    } else {
      EXPECT_EQ(pair_.wakes_to_client, 1);
      EXPECT_TRUE(pair_.ClientReady());
      EXPECT_FALSE(pair_.outcome.has_value());
      ASSERT_TRUE(pair_.client.Run().ok());
    }
    ASSERT_TRUE(pair_.outcome.has_value());
    EXPECT_EQ(pair_.outcome->kind, Kind::kResponse);
    EXPECT_EQ(pair_.outcome->response, response);
  }
}

// The client hears of them when none of its calls runs any more, or looks when it needs a slot.
TEST_F(CallsTest, UnwantedResponsesAreLeftOutAndWakeNobodyButAtTheEnd) {
  int ended = 0;
  const auto post = [&](int calls) {
    for (int i = 0; i < calls; ++i) {
      const int slot = pair_.client.Acquire();
      ASSERT_GE(slot, 0);
      pair_.client.PostUnwanted(slot, 0, [&](const CallOutcome& outcome) {
        EXPECT_EQ(outcome.kind, Kind::kResponse);
        EXPECT_EQ(outcome.response, "");
        ++ended;
      });
    }
  };
  post(2);
  const int last = pair_.Post("q");
  const ServerCalls::News news = pair_.server.Run();
  ASSERT_EQ(news.taken.size(), 3);
  EXPECT_FALSE(news.taken[0].id.wants_response);
  for (const int i : {0, 1}) pair_.server.Respond(news.taken[i].id, std::string(kBuffer, 'x'));
  EXPECT_EQ(pair_.wakes_to_client, 0);
  pair_.server.Respond(news.taken[2].id, "wanted");
  EXPECT_EQ(pair_.wakes_to_client, 1);
  EXPECT_EQ(pair_.Wait(last).response, "wanted");
  EXPECT_TRUE(pair_.ClientReady());
  ASSERT_TRUE(pair_.client.Run().ok());
  EXPECT_EQ(ended, 2);
  EXPECT_EQ(pair_.client.busy(), 0);

  post(kCallSlots);
  EXPECT_EQ(pair_.client.Acquire(), -1);
  pair_.ServerReady();  // a cache may have brought the line amid the posts
  ASSERT_TRUE(pair_.Serve("a").ok());
  const int slot = pair_.client.Acquire();
  EXPECT_GE(slot, 0);
  // At once but where caches bring some of the slots' lines late.
  EXPECT_TRUE(Eventually([&] {
    pair_.ClientReady();
    return !pair_.client.Run().ok() || ended == 2 + static_cast<int>(kCallSlots);
  }));
  EXPECT_EQ(ended, 2 + static_cast<int>(kCallSlots));
}

TEST_F(CallsTest, AnUnwantedCallThatIsRefusedOrNotTakenIsTold) {
  std::optional<CallOutcome> outcome;
  for (const bool refused : {true, false}) {
    outcome.reset();
    pair_.client.PostUnwanted(pair_.client.Acquire(), 0,
                              [&](CallOutcome ended) { outcome = std::move(ended); });
    if (refused) {
      pair_.server.SetAccepting(false);
      ASSERT_TRUE(pair_.Serve("never").ok());
      EXPECT_EQ(pair_.wakes_to_client, 1);
      EXPECT_TRUE(pair_.ClientReady());
      ASSERT_TRUE(pair_.client.Run().ok());
    } else {
      pair_.client.Ended();
    }
    ASSERT_TRUE(outcome.has_value());
    EXPECT_EQ(outcome->kind, Kind::kNotRun);
  }
}

TEST_F(CallsTest, SlotsRunOutAndComeBack) {
  std::vector<int> slots;
  for (size_t i = 0; i < kCallSlots; ++i) slots.push_back(pair_.Post("q"));
  EXPECT_EQ(pair_.client.Acquire(), -1);
  ASSERT_TRUE(pair_.Serve("a").ok());
  for (const int slot : slots) EXPECT_EQ(pair_.Wait(slot).response, "a");
  EXPECT_GE(pair_.client.Acquire(), 0);
}

TEST_F(CallsTest, TheClientSeesHowManyCallsTheServerRuns) {
  EXPECT_EQ(pair_.client.capacity(), 0u);
  for (const uint32_t calls : {3, 7, 0}) {
    pair_.server.SetCapacity(calls);
    EXPECT_EQ(pair_.client.capacity(), calls);
  }
}

TEST_F(CallsTest, AServerThatDoesNotAcceptRefuses) {
  EXPECT_TRUE(pair_.client.Accepting());
  pair_.server.SetAccepting(false);
  pair_.ClientReady();
  EXPECT_FALSE(pair_.client.Accepting());
  const int slot = pair_.Post("q");  // posted all the same, as in a race
  ASSERT_TRUE(pair_.Serve("never").ok());
  EXPECT_EQ(pair_.Wait(slot).kind, Kind::kNotRun);
  EXPECT_EQ(pair_.last_request, "");
}

// Calls for which there is no room: taken later, refused, or given up by their client.
TEST_F(CallsTest, ACallWaitsUntilItIsTakenOrWithdrawn) {
  const auto no_room = [](Priority) { return false; };
  for (const std::string end : {"taken", "refused", "withdrawn", "connection ended"}) {
    SCOPED_TRACE(end);
    CallPair pair;
    const std::string request(kBuffer, 'q');
    const int slot = pair.Post(request);
    const uint32_t generation = pair.generation;
    ServerCalls::News news = pair.server.Run(no_room);
    ASSERT_TRUE(news.status.ok() && news.taken.empty());
    ASSERT_EQ(news.waiting.size(), 1u);
    EXPECT_FALSE(pair.ServerReady());
    EXPECT_EQ(pair.server.busy() + pair.server.running(), 0);
    if (end == "withdrawn") {
      pair.client.Cancel(slot, generation);
      const ServerCalls::News more = pair.server.Run(no_room);
      EXPECT_EQ(more.withdrawn.size(), 1u);
      EXPECT_TRUE(more.cancelled.empty());
    }
    if (end == "connection ended") {
      pair.client.Ended();
      EXPECT_EQ(pair.Wait(slot).kind, Kind::kNotRun);
      EXPECT_FALSE(pair.server.TakeWaiting(news.waiting[0]).has_value());
      continue;
    }
    if (end == "refused" || end == "withdrawn") {
      EXPECT_EQ(pair.server.Refuse(news.waiting[0]), end == "refused");
    }
    auto taken = pair.server.TakeWaiting(news.waiting[0]);
    ASSERT_EQ(taken.has_value(), end == "taken");
    if (taken.has_value()) {
      EXPECT_TRUE(taken->request == request);
      EXPECT_FALSE(pair.server.TakeWaiting(news.waiting[0]).has_value());
      pair.server.Respond(taken->id, "a");
    }
    EXPECT_EQ(pair.Wait(slot).kind, end == "taken" ? Kind::kResponse : Kind::kNotRun);
    EXPECT_EQ(pair.server.busy(), 0);
    pair.ClientReady();
    EXPECT_EQ(pair.client.Acquire(), slot) << "free at once";
  }
}

TEST_F(CallsTest, TheServerTellsItsCapacity) {
  EXPECT_EQ(pair_.client.capacity(), 0u);
  pair_.server.SetCapacity(7);
  EXPECT_EQ(pair_.client.capacity(), 7u);
}

TEST_F(CallsTest, PingsAreAnsweredByRun) {
  EXPECT_FALSE(pair_.ServerReady());
  const uint64_t ping = pair_.client.Ping();
  EXPECT_EQ(pair_.wakes_to_server, 1);
  EXPECT_TRUE(pair_.ServerReady());
  EXPECT_FALSE(pair_.client.Answered(ping));
  ASSERT_TRUE(pair_.Serve("").ok());
  EXPECT_TRUE(pair_.client.Answered(ping));
  EXPECT_FALSE(pair_.client.Answered(ping + 1));
  EXPECT_FALSE(pair_.ServerReady());
}

// What the end of the connection means for a call in each state.
TEST(CallsEndTest, SaysWhetherACallMayHaveRun) {
  const auto serve = [](size_t bytes) {
    return [bytes](CallPair& pair) { ASSERT_TRUE(pair.Serve(std::string(bytes, 'a')).ok()); };
  };
  const struct {
    const char* request;
    std::function<void(CallPair&)> before;
    Kind kind;
  } kCases[] = {
      {"not taken", [](CallPair&) {}, Kind::kNotRun},
      {"taken", [](CallPair& pair) { ASSERT_TRUE(pair.server.Run().status.ok()); }, Kind::kLost},
      {"half answered", serve(2 * kBuffer), Kind::kLost},
      {"answered", serve(1), Kind::kResponse},
      {"refused", [&](CallPair& pair) { pair.server.SetAccepting(false), serve(0)(pair); },
       Kind::kNotRun},
  };
  for (const auto& test : kCases) {
    for (const bool polled : {false, true}) {
      SCOPED_TRACE(test.request);
      CallPair pair;
      const int slot = pair.Post(test.request);
      if (polled) pair.Poll(slot);
      test.before(pair);
      pair.client.Ended();
      const CallOutcome outcome = polled ? *pair.outcome : pair.Wait(slot);
      EXPECT_EQ(outcome.kind, test.kind);
      EXPECT_EQ(outcome.response, test.kind == Kind::kResponse ? "a" : "");
      EXPECT_EQ(pair.client.Acquire(), -1) << "no call begins after the end";
      if (test.kind != Kind::kNotRun) continue;
      ASSERT_TRUE(pair.Serve("late").ok());
      EXPECT_EQ(pair.last_request, "") << "taken back: a server that comes later does not run it";
    }
  }
}

// Of a call that a thread has waited for, and has not left to the polling thread yet.
TEST(CallsEndTest, AnAnswerBeforeItCounts) {
  CallPair pair;
  const int slot = pair.Post("q");
  CallOutcome outcome;
  PastWait past;
  ASSERT_EQ(pair.client.Wait(slot, 0, 0, &outcome, &past), ClientCalls::Waited::kStillRunning);
  ASSERT_TRUE(pair.Serve("a").ok());
  pair.client.Ended();
  pair.Poll(slot);
  ASSERT_TRUE(pair.outcome.has_value());
  EXPECT_EQ(pair.outcome->kind, Kind::kResponse);
  EXPECT_EQ(pair.outcome->response, "a");
}

TEST_F(CallsTest, TheEndWakesAParkedCaller) {
  const int slot = pair_.Post("q");
  std::thread caller([&] { EXPECT_EQ(pair_.Wait(slot).kind, Kind::kNotRun); });
  pair_.client.Ended();
  caller.join();
}

TEST_F(CallsTest, CancellationReachesTheRunningCallOnly) {
  std::vector<uint32_t> cancelled;
  std::vector<ServerCalls::CallId> running;
  const auto run = [&] {
    const ServerCalls::News news = pair_.server.Run();
    for (const ServerCalls::TakenCall& call : news.taken) running.push_back(call.id);
    for (const ServerCalls::CallId& call : news.cancelled) cancelled.push_back(call.generation);
    return news.status;
  };
  const int slot = pair_.Post("first");
  const uint32_t first = pair_.generation;
  ASSERT_TRUE(run().ok());
  pair_.client.Cancel(slot, first);
  pair_.client.Cancel(slot, first);  // once is enough
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(cancelled, std::vector<uint32_t>{first});
  pair_.server.Respond(running[0], "cancelled");
  EXPECT_EQ(pair_.Wait(slot).response, "cancelled");

  // The next call in the slot is not meant, by old tickets least of all.
  pair_.ClientReady();
  ASSERT_EQ(pair_.Post("second"), slot);
  pair_.client.Cancel(slot, first);
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(cancelled.size(), 1u);
  pair_.server.Respond(running[1], "a");
  EXPECT_EQ(pair_.Wait(slot).response, "a");
}

TEST_F(CallsTest, ASlotWithAnUnseenCancellationIsNotUsed) {
  const int slot = pair_.Post("q");
  ASSERT_TRUE(pair_.Serve("a").ok());
  pair_.client.Cancel(slot, pair_.generation);  // after the server's last look
  EXPECT_EQ(pair_.Wait(slot).kind, Kind::kResponse);
  EXPECT_NE(pair_.client.Acquire(), slot);
  // The others are in use, so that the client must look whether this one is free by now.
  for (size_t i = 2; i < kCallSlots; ++i) EXPECT_GE(pair_.client.Acquire(), 0);
  EXPECT_EQ(pair_.client.Acquire(), -1);
  ASSERT_TRUE(pair_.Serve("").ok());
  EXPECT_EQ(pair_.client.Acquire(), slot);
}

}  // namespace
}  // namespace grpc_cxl::internal
