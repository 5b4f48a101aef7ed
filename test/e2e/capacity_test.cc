// SPDX-License-Identifier: Apache-2.0

// A server's capacity: never more direct calls at a time, of all clients together; the others wait
// in order, are never begun when their clients give them up, and find their queue bounded.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "grpc_cxl/connection_status.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/one_way.h"
#include "grpc_cxl/priority.h"
#include "test/e2e/child.h"
#include "test/e2e/holding_server.h"

namespace grpc_cxl::e2e {
namespace {

using internal::Eventually;

TEST_F(CapacityTest, CallsWaitInOrderAndItChangesWhileTheyDo) {
  const auto stub = Start(1);
  Calls calls;
  std::vector<std::string> all;
  for (int i = 0; i < 10; ++i) calls.emplace_back(*stub, all.emplace_back(absl::StrCat(i)));
  ASSERT_TRUE(server_->AwaitHeld(1));
  EXPECT_TRUE(AwaitWaiting(ConnectionStatus::Side::kServer, 9));
  ASSERT_TRUE(SetCapacity(server_->server(), 4).ok());
  ASSERT_TRUE(server_->AwaitHeld(4));
  ASSERT_TRUE(SetCapacity(server_->server(), 2).ok());
  server_->LetGo(2);
  EXPECT_TRUE(Eventually([&] {
    return calls[0].over.HasBeenNotified() + calls[1].over.HasBeenNotified() +
               calls[2].over.HasBeenNotified() + calls[3].over.HasBeenNotified() ==
           2;
  }));
  EXPECT_EQ(server_->begun().size(), 4u);
  server_->LetGo(1);
  ASSERT_TRUE(server_->AwaitHeld(2));
  EXPECT_EQ(server_->begun().size(), 5u);
  ASSERT_TRUE(SetCapacity(server_->server(), 0).ok());
  ASSERT_TRUE(server_->AwaitHeld(7));
  // Those that begin together do it on several threads.
  std::vector<std::string> begun = server_->begun();
  EXPECT_EQ(begun[4], "4");
  std::sort(begun.begin(), begun.end());
  EXPECT_EQ(begun, all);
  server_->LetAllGo();
  for (OneCall& call : calls) EXPECT_EQ(call.Await(), grpc::StatusCode::OK);
}

TEST_F(CapacityTest, WhatItsClientGivesUpNeverBegins) {
  const auto stub = Start(1);
  OneCall first(*stub, "first");
  ASSERT_TRUE(server_->AwaitHeld(1));
  OneCall late(*stub, "late", absl::Milliseconds(30)), unwanted(*stub, "unwanted");
  unwanted.context.TryCancel();
  EXPECT_EQ(unwanted.Await(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(late.Await(), grpc::StatusCode::DEADLINE_EXCEEDED);
  for (int i = 0; i < 3; ++i) {  // on its caller's thread as well
    ClientCall call{.prepare = WithDeadline(absl::Milliseconds(10))};
    EXPECT_EQ(Perform(stub.get(), call).status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  OneCall last(*stub, "last");
  server_->LetAllGo();
  EXPECT_EQ(first.Await(), grpc::StatusCode::OK);
  EXPECT_EQ(last.Await(), grpc::StatusCode::OK);
  EXPECT_EQ(server_->begun(), (std::vector<std::string>{"first", "last"}));
}

// A server that shuts down refuses what waits, and gRPC makes it over HTTP/2, with all of its
// batches: there, if it comes before the GOAWAY, or at the server that has taken over.
// Four times as many calls as there are slots.
TEST_F(CapacityTest, BeyondTheSlotsCallsWaitAtTheClientAndNoneTakesTheStreamPath) {
  const auto stub = Start(1);
  OneCall first(*stub, "first");
  ASSERT_TRUE(server_->AwaitHeld(1));
  Calls calls;
  std::vector<std::string> all = {"first"};
  for (int i = 0; i < 900; ++i) calls.emplace_back(*stub, all.emplace_back(absl::StrCat(i)));
  OneCall late(*stub, "late", absl::Milliseconds(10)), unwanted(*stub, "unwanted");
  unwanted.context.TryCancel();
  EXPECT_EQ(late.Await(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(unwanted.Await(), grpc::StatusCode::CANCELLED);
  server_->LetAllGo();
  for (OneCall& call : calls) {
    EXPECT_EQ(call.Await(), grpc::StatusCode::OK);
    EXPECT_EQ(call.response.requests(), 0u) << "it went over HTTP/2";
  }
  EXPECT_EQ(server_->begun(), all);
}

// Slots of one-way calls that are over become free when other calls look for a slot.
TEST_F(CapacityTest, OneWayCallsAndCallsThatWaitGoOn) {
  const auto stub = Start(2);
  server_->LetAllGo();
  std::vector<std::unique_ptr<OneCall>> calls;
  for (int i = 0; i < 400; ++i) {
    calls.push_back(std::make_unique<OneCall>(*stub, "waits"));
    grpc::ClientContext context;
    DoNotWait(&context);
    EchoResponse response;
    EXPECT_TRUE(stub->Unary(&context, EchoRequest(), &response).ok());
  }
  for (const auto& call : calls) {
    EXPECT_EQ(call->Await(), grpc::StatusCode::OK) << call->status.error_message();
    EXPECT_EQ(call->response.requests(), 0u) << "it went over HTTP/2";
  }
  EXPECT_TRUE(Eventually([&] { return server_->begun().size() == 2 * calls.size(); }));
}

// gRPC ends a call at its deadline, whatever its handler does.
TEST_F(CapacityTest, AHandlerThatGoesOnAfterTheEndOfItsCallCounts) {
  const auto stub = Start(1);
  OneCall late(*stub, "late", absl::Milliseconds(100));
  ASSERT_TRUE(server_->AwaitHeld(1));
  EXPECT_EQ(late.Await(), grpc::StatusCode::DEADLINE_EXCEEDED);
  OneCall next(*stub, "next", absl::Milliseconds(100));
  EXPECT_EQ(next.Await(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(server_->begun().size(), 1u);
  OneCall last(*stub, "last");
  server_->LetAllGo();
  EXPECT_EQ(last.Await(), grpc::StatusCode::OK);
  EXPECT_EQ(server_->begun(), (std::vector<std::string>{"late", "last"}));
}

TEST_F(CapacityTest, AFullQueueIsToldAtOnceAndWhenToTryAgain) {
  const auto stub = Start(2, /*max_waiting=*/3);
  Calls calls;
  for (int i = 0; i < 5; ++i) calls.emplace_back(*stub, "waits");
  ASSERT_TRUE(server_->AwaitHeld(2));
  for (int i = 0; i < 2; ++i) {
    OneCall more(*stub, "more");
    EXPECT_EQ(more.Await(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    const auto& trailing = more.context.GetServerTrailingMetadata();
    const auto pushback = trailing.find("grpc-retry-pushback-ms");
    ASSERT_NE(pushback, trailing.end());
    int ms = 0;
    EXPECT_TRUE(
        absl::SimpleAtoi(std::string(pushback->second.data(), pushback->second.size()), &ms));
    EXPECT_GE(ms, 1);
  }
  server_->LetAllGo();
  for (OneCall& call : calls) EXPECT_EQ(call.Await(), grpc::StatusCode::OK);
  OneCall again(*stub, "more");
  EXPECT_EQ(again.Await(), grpc::StatusCode::OK);
}

TEST_F(CapacityTest, OfAllClientsTogetherAndOneThatIsKilledIsForgotten) {
  constexpr size_t kCapacity = 3;
  transport_ = Transport::Make(TransportKind::kCxlDirect, WithCapacity(kCapacity));
  server_ = std::make_unique<HoldingServer>(*transport_);
  const auto crowd = [&](int calls) {
    auto child =
        std::make_unique<Child>("crowd_client", TransportKind::kCxlDirect, transport_->place(),
                                std::vector<std::string>{absl::StrCat("--calls=", calls)});
    EXPECT_EQ(child->ReadLine(), "called");
    return child;
  };
  const auto killed = crowd(300);
  ASSERT_TRUE(server_->AwaitHeld(kCapacity));
  const auto a = crowd(200), b = crowd(200);
  killed->Kill();
  // They take turns: of the killed client's, at most one more begins before it is known to be gone.
  for (int i = 0; i < 100; ++i) {
    server_->LetGo(1);
    ASSERT_TRUE(server_->AwaitHeld(kCapacity));
  }
  server_->LetAllGo();
  EXPECT_EQ(a->ReadLine(), "200 OK");
  EXPECT_EQ(b->ReadLine(), "200 OK");
  EXPECT_LE(server_->most(), kCapacity);
  EXPECT_LT(server_->begun().size(), 600u);
}

TEST_F(CapacityTest, AnotherReplicaHasRoom) {
  transport_ = Transport::Make(TransportKind::kCxlDirect, WithCapacity(1, /*replicas=*/true));
  HoldingServer one(*transport_), two(*transport_);
  const auto stub = Stub(/*max_waiting=*/0);
  ASSERT_TRUE(AwaitConnections(2));
  // A connection may carry calls a moment later: until then there is no room for a second one.
  Calls calls;
  const auto under_way = [&] {
    return std::count_if(calls.begin(), calls.end(),
                         [](const OneCall& call) { return !call.over.HasBeenNotified(); });
  };
  ASSERT_TRUE(Eventually([&] {
    if (under_way() < 2) calls.emplace_back(*stub, "held");
    return one.begun().size() == 1 && two.begun().size() == 1;
  }));
  OneCall more(*stub, "more");
  EXPECT_EQ(more.Await(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(under_way(), 2);
  two.LetAllGo();
  one.LetAllGo();
  EXPECT_EQ(std::count_if(calls.begin(), calls.end(),
                          [](OneCall& call) { return call.Await() == grpc::StatusCode::OK; }),
            2);
}

}  // namespace
}  // namespace grpc_cxl::e2e
