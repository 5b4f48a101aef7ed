// The protocol of direct calls between honest sides: every posted call has exactly one
// outcome, responses of any size arrive whole, and a call that may have run is never
// reported as one that has not.

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "test/calls/call_pair.h"

namespace grpc_cxl::internal {
namespace {

using Kind = CallOutcome::Kind;

constexpr int64_t kSecond = 1'000'000'000;

CallOutcome WaitFor(ClientCalls& client, int slot, int64_t spin_ns = 0) {
  CallOutcome outcome;
  bool found_spinning;
  EXPECT_EQ(client.Wait(slot, spin_ns, 10 * kSecond, &outcome, &found_spinning),
            ClientCalls::Waited::kDone);
  return outcome;
}

TEST(CallsTest, RequestAndResponseArriveWhole) {
  CallPair pair;
  EXPECT_FALSE(pair.server.Ready());
  const int slot = pair.Post("question");
  EXPECT_EQ(pair.wakes_to_server, 1);
  EXPECT_TRUE(pair.server.Ready());
  ASSERT_TRUE(pair.Serve("answer").ok());
  EXPECT_FALSE(pair.server.Ready());
  EXPECT_EQ(pair.last_request, "question");
  const CallOutcome outcome = WaitFor(pair.client, slot);
  EXPECT_EQ(outcome.kind, Kind::kResponse);
  EXPECT_EQ(outcome.response, "answer");
  EXPECT_EQ(pair.client.busy(), 0);
  EXPECT_EQ(pair.server.busy(), 0);
  EXPECT_EQ(pair.wakes_to_client, 0) << "nobody needed to be woken";
}

TEST(CallsTest, LargeResponsesComeInParts) {
  for (const size_t bytes : {size_t{0}, size_t{1}, CallPair::kBuffer - 1, CallPair::kBuffer,
                             CallPair::kBuffer + 1, 10 * CallPair::kBuffer, size_t{1'000'000}}) {
    CallPair pair;
    std::string response(bytes, 'r');
    for (size_t i = 0; i < bytes; ++i) response[i] = static_cast<char>(i * 31 % 251);
    const int slot = pair.Post("q");
    std::atomic<bool> done{false};
    std::thread server([&] {
      while (!done) {
        if (pair.server.Ready()) {
          ASSERT_TRUE(pair.Serve(response).ok());
        }
        std::this_thread::yield();
      }
    });
    const CallOutcome outcome = WaitFor(pair.client, slot, /*spin_ns=*/bytes % 2 * kSecond);
    done = true;
    server.join();
    EXPECT_EQ(outcome.kind, Kind::kResponse);
    EXPECT_TRUE(outcome.response == response) << bytes << " bytes";
  }
}

TEST(CallsTest, ResponsesOverTheLimitAreCutNotKept) {
  CallPair pair;
  const int slot = pair.Post("q", /*limit=*/CallPair::kBuffer);
  std::optional<CallOutcome> outcome;
  pair.client.WhenDone(slot, [&](CallOutcome o) { outcome = std::move(o); });
  while (!outcome.has_value()) {
    ASSERT_TRUE(pair.Serve(std::string(100 * CallPair::kBuffer, 'x')).ok());
    ASSERT_TRUE(pair.client.Run().ok());
  }
  EXPECT_EQ(outcome->kind, Kind::kTooLarge);
  EXPECT_EQ(outcome->response.size(), CallPair::kBuffer);
}

TEST(CallsTest, PolledCallsAreRungForAndDeliveredByRun) {
  CallPair pair;
  const int slot = pair.Post("q");
  std::optional<CallOutcome> outcome;
  pair.client.WhenDone(slot, [&](CallOutcome o) { outcome = std::move(o); });
  EXPECT_FALSE(pair.client.Ready());
  ASSERT_TRUE(pair.Serve("a").ok());
  EXPECT_EQ(pair.wakes_to_client, 1);
  EXPECT_TRUE(pair.client.Ready());
  EXPECT_FALSE(outcome.has_value());
  ASSERT_TRUE(pair.client.Run().ok());
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->response, "a");
}

TEST(CallsTest, ACallMayBeLeftToThePollerWhileItRuns) {
  CallPair pair;
  const int slot = pair.Post("q");
  std::optional<ServerCalls::CallId> running;
  for (const ServerCalls::TakenCall& call : pair.server.Run().taken) running = call.id;
  ASSERT_TRUE(running.has_value());
  std::optional<CallOutcome> outcome;
  pair.client.WhenDone(slot, [&](CallOutcome o) { outcome = std::move(o); });
  pair.server.Respond(*running, "a");
  EXPECT_EQ(pair.wakes_to_client, 1);
  EXPECT_TRUE(pair.client.Ready());
  ASSERT_TRUE(pair.client.Run().ok());
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->response, "a");
}

TEST(CallsTest, WhenDoneOfAFinishedCallDeliversAtOnce) {
  CallPair pair;
  const int slot = pair.Post("q");
  ASSERT_TRUE(pair.Serve("a").ok());
  std::optional<CallOutcome> outcome;
  pair.client.WhenDone(slot, [&](CallOutcome o) { outcome = std::move(o); });
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->kind, Kind::kResponse);
}

TEST(CallsTest, SlotsRunOutAndComeBack) {
  CallPair pair;
  std::vector<int> slots;
  for (size_t i = 0; i < kCallSlots; ++i) slots.push_back(pair.Post("q"));
  EXPECT_EQ(pair.client.Acquire(), -1);
  ASSERT_TRUE(pair.Serve("a").ok());
  for (const int slot : slots) EXPECT_EQ(WaitFor(pair.client, slot).response, "a");
  EXPECT_GE(pair.client.Acquire(), 0);
}

TEST(CallsTest, AServerThatDoesNotAcceptRefuses) {
  CallPair pair;
  EXPECT_TRUE(pair.client.Accepting());
  pair.server.SetAccepting(false);
  EXPECT_FALSE(pair.client.Accepting());
  const int slot = pair.Post("q");  // posted all the same, as in a race
  ASSERT_TRUE(pair.Serve("never").ok());
  EXPECT_EQ(WaitFor(pair.client, slot).kind, Kind::kNotRun);
  EXPECT_EQ(pair.last_request, "");
}

TEST(CallsTest, PingsAreAnsweredByRun) {
  CallPair pair;
  EXPECT_FALSE(pair.server.Ready());
  const uint32_t ping = pair.client.Ping();
  EXPECT_EQ(pair.wakes_to_server, 1);
  EXPECT_TRUE(pair.server.Ready());
  EXPECT_FALSE(pair.client.Answered(ping));
  ASSERT_TRUE(pair.Serve("").ok());
  EXPECT_TRUE(pair.client.Answered(ping));
  EXPECT_FALSE(pair.client.Answered(ping + 1));
  EXPECT_FALSE(pair.server.Ready());
}

// What the end of the connection means for a call in each state.
TEST(CallsTest, TheEndSaysWhetherACallMayHaveRun) {
  {
    CallPair pair;
    const int slot = pair.Post("not taken");
    pair.client.Ended();
    EXPECT_EQ(WaitFor(pair.client, slot).kind, Kind::kNotRun);
    // Taken back: a server that comes to it later does not run it.
    ASSERT_TRUE(pair.Serve("late").ok());
    EXPECT_EQ(pair.last_request, "");
  }
  {
    CallPair pair;
    const int slot = pair.Post("taken");
    ASSERT_TRUE(pair.server.Run().status.ok());
    pair.client.Ended();
    EXPECT_EQ(WaitFor(pair.client, slot).kind, Kind::kLost);
  }
  {
    CallPair pair;
    const int slot = pair.Post("half answered");
    ASSERT_TRUE(pair.Serve(std::string(2 * CallPair::kBuffer, 'a')).ok());
    pair.client.Ended();
    EXPECT_EQ(WaitFor(pair.client, slot).kind, Kind::kLost);
  }
  {
    CallPair pair;
    pair.server.SetAccepting(false);
    const int slot = pair.Post("refused");
    ASSERT_TRUE(pair.Serve("").ok());
    pair.client.Ended();
    EXPECT_EQ(WaitFor(pair.client, slot).kind, Kind::kNotRun);
  }
  {
    CallPair pair;
    const int slot = pair.Post("answered");
    ASSERT_TRUE(pair.Serve("a").ok());
    pair.client.Ended();
    EXPECT_EQ(WaitFor(pair.client, slot).kind, Kind::kResponse);
  }
  {
    CallPair pair;
    const int slot = pair.Post("polled");
    std::optional<CallOutcome> outcome;
    pair.client.WhenDone(slot, [&](CallOutcome o) { outcome = std::move(o); });
    pair.client.Ended();
    ASSERT_TRUE(outcome.has_value());
    EXPECT_EQ(outcome->kind, Kind::kNotRun);
    EXPECT_EQ(pair.client.Acquire(), -1) << "no call begins after the end";
  }
}

TEST(CallsTest, TheEndWakesAParkedCaller) {
  CallPair pair;
  const int slot = pair.Post("q");
  std::thread caller([&] { EXPECT_EQ(WaitFor(pair.client, slot).kind, Kind::kNotRun); });
  pair.client.Ended();
  caller.join();
}

TEST(CallsTest, CancellationReachesTheRunningCallOnly) {
  CallPair pair;
  std::vector<uint32_t> cancelled;
  std::vector<ServerCalls::CallId> running;
  const auto run = [&] {
    const ServerCalls::News news = pair.server.Run();
    for (const ServerCalls::TakenCall& call : news.taken) running.push_back(call.id);
    for (const ServerCalls::CallId& call : news.cancelled) cancelled.push_back(call.generation);
    return news.status;
  };
  const int slot = pair.Post("first");
  const uint32_t first = pair.generation;
  ASSERT_TRUE(run().ok());
  pair.client.Cancel(slot, first);
  pair.client.Cancel(slot, first);  // once is enough
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(cancelled, std::vector<uint32_t>{first});
  pair.server.Respond(running[0], "cancelled");
  EXPECT_EQ(WaitFor(pair.client, slot).response, "cancelled");

  // The next call in the slot is not meant, by old tickets least of all.
  ASSERT_EQ(pair.Post("second"), slot);
  pair.client.Cancel(slot, first);
  ASSERT_TRUE(run().ok());
  EXPECT_EQ(cancelled.size(), 1u);
  pair.server.Respond(running[1], "a");
  EXPECT_EQ(WaitFor(pair.client, slot).response, "a");
}

TEST(CallsTest, ASlotWithAnUnseenCancellationIsNotUsed) {
  CallPair pair;
  const int slot = pair.Post("q");
  ASSERT_TRUE(pair.Serve("a").ok());
  pair.client.Cancel(slot, pair.generation);  // after the server's last look
  EXPECT_EQ(WaitFor(pair.client, slot).kind, Kind::kResponse);
  EXPECT_NE(pair.client.Acquire(), slot);
  ASSERT_TRUE(pair.Serve("").ok());
  EXPECT_EQ(pair.client.Acquire(), slot);
}

// Many threads, one region, both ways of waiting: every call gets its own answer.
TEST(CallsTest, ThreadsDoNotMixUpTheirCalls) {
  CallPair pair;
  std::atomic<bool> done{false};
  std::thread server([&] {
    while (!done) {
      if (pair.server.Ready()) {
        const ServerCalls::News news = pair.server.Run();
        ASSERT_TRUE(news.status.ok());
        for (const auto& call : news.taken) pair.server.Respond(call.id, call.request + "!");
      }
      if (pair.client.Ready()) {
        ASSERT_TRUE(pair.client.Run().ok());
      }
      std::this_thread::yield();
    }
  });
  constexpr int kThreads = 8, kCalls = 2000;
  std::atomic<int> answered{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < kThreads; ++t) {
    callers.emplace_back([&, t] {
      for (int i = 0; i < kCalls; ++i) {
        const std::string request = std::to_string(t) + ":" + std::to_string(i);
        const int slot = pair.client.Acquire();
        ASSERT_GE(slot, 0);
        memcpy(pair.client.RequestBuffer(slot).data(), request.data(), request.size());
        pair.client.Post(slot, request.size(), SIZE_MAX);
        if (i % 3 == 0) {
          std::atomic<bool> over{false};
          pair.client.WhenDone(slot, [&](const CallOutcome& outcome) {
            EXPECT_EQ(outcome.response, request + "!");
            ++answered;
            over = true;
          });
          while (!over) std::this_thread::yield();
        } else {
          EXPECT_EQ(WaitFor(pair.client, slot, i % 2 * 20'000).response, request + "!");
          ++answered;
        }
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  done = true;
  server.join();
  EXPECT_EQ(answered, kThreads * kCalls);
  EXPECT_EQ(pair.client.busy(), 0);
}

}  // namespace
}  // namespace grpc_cxl::internal
