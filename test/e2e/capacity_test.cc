// SPDX-License-Identifier: Apache-2.0

// A server's capacity: never more direct calls at a time, of all clients together; the others wait
// in order, are never begun when their clients give them up, and find their queue bounded.

#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/log/check.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/connection_status.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/one_way.h"
#include "grpc_cxl/priority.h"
#include "grpc_cxl/server_builder.h"
#include "test/e2e/child.h"
#include "test/e2e/echo_pair.h"
#include "test/e2e/parity.h"

namespace grpc_cxl::e2e {
namespace {

using internal::Eventually;

// A stream in the callback API, without messages: over when its handler says so.
class OneStream final : private grpc::ClientBidiReactor<EchoRequest, EchoResponse> {
 public:
  OneStream(Echo::Stub& stub, const std::string& name, absl::Duration timeout = absl::Minutes(1)) {
    context.AddMetadata("name", name);
    context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    stub.async()->Bidi(&context, this);
    StartCall();
  }
  grpc::StatusCode Await() {
    over.WaitForNotification();
    return status.error_code();
  }

  grpc::ClientContext context;
  grpc::Status status;
  absl::Notification over;

 private:
  void OnDone(const grpc::Status& ended) override {
    status = ended;
    over.Notify();
  }
};

// A server of direct calls that holds each until it is let go.
class HoldingServer final : private Echo::CallbackService {
 public:
  explicit HoldingServer(const Transport& transport) {
    ServerBuilder builder;
    builder.AddListeningPort(transport.address(), transport.ServerCredentials());
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    CHECK(server_ != nullptr);
  }
  ~HoldingServer() override {
    LetAllGo();
    server_->Shutdown(absl::ToChronoTime(absl::Now()));
  }

  grpc::Server& server() { return *server_; }
  bool AwaitHeld(size_t calls) {
    return Eventually([&] {
      absl::MutexLock lock(mu_);
      return held_.size() == calls;
    });
  }
  // Those that have been held longest.
  void LetGo(size_t calls) {
    for (; calls > 0; --calls) {
      std::function<void()> finish;
      {
        absl::MutexLock lock(mu_);
        finish = std::move(held_.front());
        held_.pop_front();
      }
      finish();
    }
  }
  // And all that come.
  void LetAllGo() {
    size_t held;
    {
      absl::MutexLock lock(mu_);
      holds_ = false;
      held = held_.size();
    }
    LetGo(held);
  }
  std::vector<std::string> begun() {
    absl::MutexLock lock(mu_);
    return begun_;
  }
  size_t most() {
    absl::MutexLock lock(mu_);
    return most_;
  }

 private:
  grpc::ServerUnaryReactor* Unary(grpc::CallbackServerContext* context, const EchoRequest* request,
                                  EchoResponse* response) override {
    if (!context->peer().empty()) response->set_requests(1);  // over HTTP/2
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    Hold(request->payload(), [reactor] { reactor->Finish(grpc::Status::OK); });
    return reactor;
  }
  grpc::ServerBidiReactor<EchoRequest, EchoResponse>* Bidi(
      grpc::CallbackServerContext* context) override {
    struct Reactor : grpc::ServerBidiReactor<EchoRequest, EchoResponse> {
      void OnDone() override { delete this; }
    };
    const auto name = context->client_metadata().find("name")->second;
    auto* const reactor = new Reactor;
    Hold(std::string(name.data(), name.size()) + (context->peer().empty() ? "" : " over HTTP/2"),
         [reactor] { reactor->Finish(grpc::Status::OK); });
    return reactor;
  }

  void Hold(const std::string& name, std::function<void()> finish) {
    {
      absl::MutexLock lock(mu_);
      begun_.push_back(name);
      if (holds_) {
        held_.push_back(std::move(finish));
        most_ = std::max(most_, held_.size());
        return;
      }
    }
    finish();
  }

  absl::Mutex mu_;
  bool holds_ ABSL_GUARDED_BY(mu_) = true;
  std::deque<std::function<void()>> held_ ABSL_GUARDED_BY(mu_);  // how they end
  std::vector<std::string> begun_ ABSL_GUARDED_BY(mu_);
  size_t most_ ABSL_GUARDED_BY(mu_) = 0;
  std::unique_ptr<grpc::Server> server_;
};

// A call in the callback API.
struct OneCall {
  OneCall(Echo::Stub& stub, const std::string& payload, absl::Duration timeout = absl::Minutes(1),
          Priority priority = Priority::kDefault) {
    SetPriority(&context, priority);
    context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    request.set_payload(payload);
    stub.async()->Unary(&context, &request, &response, [this](const grpc::Status& ended) {
      status = ended;
      over.Notify();
    });
  }
  grpc::StatusCode Await() {
    over.WaitForNotification();
    return status.error_code();
  }

  grpc::ClientContext context;
  EchoRequest request;
  EchoResponse response;
  grpc::Status status;
  absl::Notification over;
};

ServerOptions WithCapacity(size_t capacity, bool replicas = false) {
  ServerOptions options;
  options.capacity = capacity;
  options.replicas = replicas;
  return options;
}

class CapacityTest : public ::testing::Test {
 protected:
  std::unique_ptr<Echo::Stub> Start(size_t capacity, size_t max_waiting = 1024) {
    transport_ = Transport::Make(TransportKind::kCxlDirect, WithCapacity(capacity));
    server_ = std::make_unique<HoldingServer>(*transport_);
    return Stub(max_waiting);
  }
  std::unique_ptr<Echo::Stub> Stub(size_t max_waiting) {
    ChannelOptions options;
    options.rendezvous_directory = transport_->place();
    options.max_waiting_calls = max_waiting;
    const auto channel =
        grpc::CreateChannel(transport_->address(), grpc_cxl::ChannelCredentials(options));
    Connect(*channel);
    return Echo::NewStub(channel);
  }

  std::unique_ptr<Transport> transport_;
  std::unique_ptr<HoldingServer> server_;
};

using Calls = std::deque<OneCall>;

TEST_F(CapacityTest, CallsWaitInOrderAndItChangesWhileTheyDo) {
  const auto stub = Start(1);
  Calls calls;
  std::vector<std::string> all;
  for (int i = 0; i < 10; ++i) calls.emplace_back(*stub, all.emplace_back(absl::StrCat(i)));
  ASSERT_TRUE(server_->AwaitHeld(1));
  EXPECT_TRUE(Eventually([] {
    for (const ConnectionStatus& connection : GetConnectionStatus()) {
      if (connection.direct_calls_waiting == 9) return true;
    }
    return false;
  }));
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

TEST_F(CapacityTest, UrgentCallsBeginFirst) {
  const auto stub = Start(1);
  OneCall first(*stub, "first");
  ASSERT_TRUE(server_->AwaitHeld(1));
  Calls calls;
  for (const auto& [name, priority] : {std::pair("bulk", Priority::kBulk),
                                       {"default", Priority::kDefault},
                                       {"interactive", Priority::kInteractive}}) {
    calls.emplace_back(*stub, name, absl::Minutes(1), priority);
  }
  EXPECT_TRUE(Eventually([] {
    for (const ConnectionStatus& connection : GetConnectionStatus()) {
      if (connection.direct_calls_waiting == 3) return true;
    }
    return false;
  }));
  server_->LetAllGo();
  for (OneCall& call : calls) EXPECT_EQ(call.Await(), grpc::StatusCode::OK);
  EXPECT_EQ(server_->begun(),
            (std::vector<std::string>{"first", "interactive", "default", "bulk"}));
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

bool AwaitWaiting(uint64_t calls, uint64_t streams) {
  return Eventually([&] {
    for (const ConnectionStatus& connection : GetConnectionStatus()) {
      if (connection.direct_calls_waiting == calls && connection.streams_waiting == streams) {
        return true;
      }
    }
    return false;
  });
}

TEST_F(CapacityTest, StreamsHoldPlacesAndWaitForThemAsCallsDo) {
  const auto stub = Start(2);
  OneStream first(*stub, "first");
  OneCall second(*stub, "second");
  ASSERT_TRUE(server_->AwaitHeld(2));
  OneStream third(*stub, "third");
  ASSERT_TRUE(AwaitWaiting(0, 1));
  OneCall fourth(*stub, "fourth");
  ASSERT_TRUE(AwaitWaiting(1, 1));
  OneStream late(*stub, "late", absl::Milliseconds(30)), unwanted(*stub, "unwanted");
  unwanted.context.TryCancel();
  EXPECT_EQ(unwanted.Await(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(late.Await(), grpc::StatusCode::DEADLINE_EXCEEDED);
  ASSERT_TRUE(AwaitWaiting(1, 1));
  {
    grpc::ClientContext context;  // on its caller's thread as well
    context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Milliseconds(10)));
    const auto stream = stub->Bidi(&context);
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  EXPECT_EQ(server_->begun().size(), 2u);
  server_->LetGo(1);  // the stream's place
  ASSERT_TRUE(server_->AwaitHeld(2));
  EXPECT_EQ(first.Await(), grpc::StatusCode::OK);
  server_->LetGo(1);
  EXPECT_EQ(second.Await(), grpc::StatusCode::OK);
  ASSERT_TRUE(server_->AwaitHeld(2));
  EXPECT_EQ(server_->begun(), (std::vector<std::string>{"first", "second", "third", "fourth"}));
  server_->LetAllGo();
  EXPECT_EQ(third.Await(), grpc::StatusCode::OK);
  EXPECT_EQ(fourth.Await(), grpc::StatusCode::OK);
  EXPECT_EQ(server_->most(), 2u);
}

TEST_F(CapacityTest, StreamsBeyondWhatMayWaitAreToldAtOnce) {
  const auto stub = Start(1, /*max_waiting=*/1);
  OneStream runs(*stub, "runs"), waits(*stub, "waits");
  ASSERT_TRUE(server_->AwaitHeld(1));
  OneStream more(*stub, "more");
  EXPECT_EQ(more.Await(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(more.context.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 1u);
  OneCall call(*stub, "call");
  EXPECT_EQ(call.Await(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  server_->LetAllGo();
  EXPECT_EQ(runs.Await(), grpc::StatusCode::OK);
  EXPECT_EQ(waits.Await(), grpc::StatusCode::OK);
}

TEST_F(CapacityTest, AStreamsHandlerThatGoesOnAfterTheEndOfItsCallCounts) {
  const auto stub = Start(1);
  OneStream late(*stub, "late", absl::Milliseconds(100));
  ASSERT_TRUE(server_->AwaitHeld(1));
  EXPECT_EQ(late.Await(), grpc::StatusCode::DEADLINE_EXCEEDED);
  OneStream next(*stub, "next", absl::Milliseconds(50));
  EXPECT_EQ(next.Await(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(server_->begun().size(), 1u);
  OneStream last(*stub, "last");
  server_->LetAllGo();
  EXPECT_EQ(last.Await(), grpc::StatusCode::OK);
  EXPECT_EQ(server_->begun(), (std::vector<std::string>{"late", "last"}));
}

// A server that shuts down refuses what waits, and gRPC makes it over HTTP/2, with all of its
// batches: there, if it comes before the GOAWAY, or at the server that has taken over.
TEST_F(CapacityTest, AStreamThatWaitsWhenItsServerShutsDownGoesOn) {
  ServerOptions options = WithCapacity(1);
  options.take_over = true;
  transport_ = Transport::Make(TransportKind::kCxlDirect, options);
  server_ = std::make_unique<HoldingServer>(*transport_);
  const auto stub = Stub(/*max_waiting=*/10);
  OneStream first(*stub, "first");
  ASSERT_TRUE(server_->AwaitHeld(1));
  OneStream waits(*stub, "waits");
  ASSERT_TRUE(AwaitWaiting(0, 1));
  HoldingServer next(*transport_);
  std::thread shutdown([this] { Shutdown(server_->server(), absl::InfiniteFuture()); });
  EXPECT_TRUE(Eventually([&] { return server_->begun().size() + next.begun().size() == 2; }));
  EXPECT_EQ((next.begun().empty() ? server_->begun() : next.begun()).back(), "waits over HTTP/2");
  server_->LetAllGo();
  next.LetAllGo();
  EXPECT_EQ(waits.Await(), grpc::StatusCode::OK);
  EXPECT_EQ(first.Await(), grpc::StatusCode::OK);
  shutdown.join();
}

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

// gRPC ends a call at its deadline, whatever its handler does.
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
  ASSERT_TRUE(Eventually([] {  // it is connected to both, for a moment perhaps twice to one
    std::set<std::string> names;
    for (const ConnectionStatus& connection : GetConnectionStatus()) {
      if (absl::StrContains(connection.name, "=")) names.insert(connection.name);
    }
    return names.size() == 2;
  }));
  OneCall a(*stub, "a"), b(*stub, "b");
  EXPECT_TRUE(one.AwaitHeld(1));
  EXPECT_TRUE(two.AwaitHeld(1));
  OneCall c(*stub, "c");
  EXPECT_EQ(c.Await(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  two.LetAllGo();
  one.LetAllGo();
  EXPECT_EQ(a.Await(), grpc::StatusCode::OK);
  EXPECT_EQ(b.Await(), grpc::StatusCode::OK);
}

}  // namespace
}  // namespace grpc_cxl::e2e
