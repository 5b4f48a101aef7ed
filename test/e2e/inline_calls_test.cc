// SPDX-License-Identifier: Apache-2.0

// Calls to a server of this process that their callers' own threads run (inline_calls): which are,
// that whatever handlers do nobody waits in vain, and that they end with their server.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/direct_calls.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/lambda_server.h"
#include "test/e2e/parity.h"

namespace grpc_cxl::e2e {
namespace {

constexpr TransportKind kInline = TransportKind::kCxlInline;

TEST(InlineCallsTest, AreThoseOfCallersThatWait) {
  std::thread::id handled_by;
  HandlerPair pair(kInline, [&](auto*, const EchoRequest& request, EchoResponse* response) {
    handled_by = std::this_thread::get_id();
    response->set_payload(request.payload());
    return grpc::Status::OK;
  });
  const Paths paths;
  for (const size_t bytes : {0, 100, 20'000, 2'000'000}) {  // the first one, too
    const std::string payload(bytes, 'x');
    const Outcome outcome = pair.Call(payload);
    ASSERT_TRUE(outcome.status.ok()) << outcome;
    EXPECT_EQ(outcome.responses[0].payload(), payload);
    EXPECT_EQ(handled_by, std::this_thread::get_id());
  }
  EXPECT_EQ(paths(&DirectCallStats::in_process), 4u);
  EXPECT_EQ(paths.direct(), 4u);
  ClientCall other{.api = ClientApi::kCallback};
  EXPECT_TRUE(Perform(pair.stub.get(), other).status.ok());
  EXPECT_NE(handled_by, std::this_thread::get_id());
  EXPECT_EQ(paths(&DirectCallStats::in_process), 4u);
  EXPECT_EQ(paths.direct(), 5u);
}

// Calls its own server as often as the request has bytes, and holds no thread meanwhile.
class Relay final : public Echo::CallbackService {
 public:
  std::unique_ptr<Echo::Stub> stub;

 private:
  struct Inner {
    grpc::ClientContext context;
    EchoRequest request;
    EchoResponse response;
  };
  grpc::ServerUnaryReactor* Unary(grpc::CallbackServerContext* context, const EchoRequest* request,
                                  EchoResponse* response) override {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    if (request->payload().empty()) {
      reactor->Finish(grpc::Status::OK);
      return reactor;
    }
    const auto inner = std::make_shared<Inner>();
    inner->request.set_payload(request->payload().substr(1));
    stub->async()->Unary(&inner->context, &inner->request, &inner->response,
                         [inner, response, reactor](const grpc::Status& status) {
                           response->set_requests(inner->response.requests() + 1);
                           reactor->Finish(status);
                         });
    return reactor;
  }
};

// Without inline_calls: those are for threads that wait.
TEST(InlineCallsTest, AreThoseOfHandlersThatDoNotWait) {
  const auto transport = Transport::Make(TransportKind::kCxlDirect);
  Relay relay;
  const auto server = Serve(*transport, [&](auto* builder) { builder->RegisterService(&relay); });
  const auto channel = MakeChannel(*transport);
  Connect(*channel);
  relay.stub = Echo::NewStub(channel);
  const Paths paths;
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        const Outcome outcome = Perform(relay.stub.get(), CallOfSize(8));
        ASSERT_TRUE(outcome.status.ok()) << outcome;
        EXPECT_EQ(outcome.responses[0].requests(), 8u);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  // Closures that take long run on gRPC's threads, and their calls take slots.
  EXPECT_GT(paths(&DirectCallStats::in_process), 0u);
  EXPECT_LE(paths(&DirectCallStats::in_process), 8u * 50 * 8);
  server->Shutdown();
}

// Each handler calls its own server and waits, on eight threads at a time.
TEST(InlineCallsTest, NestEightDeep) {
  HandlerPair* self = nullptr;
  HandlerPair pair(kInline, [&](auto*, const EchoRequest& request, EchoResponse* response) {
    if (request.payload().size() == 1) return grpc::Status::OK;
    const Outcome inner = self->Call(request.payload().substr(1));
    if (inner.status.ok()) response->set_requests(inner.responses[0].requests() + 1);
    return inner.status;
  });
  self = &pair;
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&pair] {
      for (int round = 0; round < 50; ++round) {
        const Outcome outcome = pair.Call("87654321");
        ASSERT_TRUE(outcome.status.ok()) << outcome;
        EXPECT_EQ(outcome.responses[0].requests(), 7u);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

// The closures of the call that the handler waits for lie behind the handler itself, in the queue
// of the thread: another one must take them.
TEST(InlineCallsTest, AHandlerThatBlocksForACallOfItsThreadIsServed) {
  HandlerPair* self = nullptr;
  HandlerPair pair(kInline, [&](auto*, const EchoRequest& request, auto*) {
    if (request.payload().empty()) return grpc::Status::OK;
    grpc::ClientContext context;
    EchoRequest inner;
    EchoResponse ignored;
    grpc::Status status;
    absl::Notification done;
    // Of gRPC's own, so that this thread makes the closures.
    const auto stub = Echo::NewStub(self->server.server().InProcessChannel({}));
    stub->async()->Unary(&context, &inner, &ignored, [&](grpc::Status its) {
      status = its;
      done.Notify();
    });
    done.WaitForNotification();
    return status;
  });
  self = &pair;
  for (int i = 0; i < 3; ++i) {
    const Outcome outcome = pair.Call("block");
    EXPECT_TRUE(outcome.status.ok()) << outcome;
  }
}

TEST(InlineCallsTest, AreAwaitedByShutdownAndMadeNoMoreThen) {
  absl::Notification runs, goes_on;
  HandlerPair pair(kInline, [&](auto*, const EchoRequest& request, auto*) {
    if (request.payload() == "wait") {
      runs.Notify();
      goes_on.WaitForNotification();
    }
    return grpc::Status::OK;
  });
  const Paths paths;
  std::thread caller([&] {
    const Outcome outcome = pair.Call("wait");
    EXPECT_TRUE(outcome.status.ok()) << outcome;
  });
  runs.WaitForNotification();
  absl::Notification down;
  std::thread server([&] {
    Shutdown(pair.server.server(), absl::Now() + absl::Minutes(1));
    down.Notify();
  });
  // No call begins any more, and none is lost: it finds no server.
  EXPECT_TRUE(internal::Eventually([&] { return !pair.Call("").status.ok(); }));
  const uint64_t before = paths(&DirectCallStats::in_process);
  EXPECT_EQ(pair.Call("").status.error_code(), grpc::UNAVAILABLE);
  EXPECT_EQ(paths(&DirectCallStats::in_process), before);
  EXPECT_FALSE(down.HasBeenNotified());
  goes_on.Notify();
  caller.join();
  server.join();
}

// A deadline ends the call of a handler that has returned, and finishes later.
TEST(InlineCallsTest, EndAtTheirDeadlineUnlessTheirThreadIsTaken) {
  EchoPair pair(kInline);
  const Paths paths;
  ClientCall call = CallThatWaitsAtGate();
  call.prepare = WithDeadline(absl::Milliseconds(200));
  const Outcome outcome = pair.Run(call);
  EXPECT_EQ(outcome.status.error_code(), grpc::DEADLINE_EXCEEDED) << outcome;
  EXPECT_EQ(outcome.status.error_message(), "Deadline Exceeded");
  EXPECT_EQ(paths(&DirectCallStats::in_process), 1u);
}

}  // namespace
}  // namespace grpc_cxl::e2e
