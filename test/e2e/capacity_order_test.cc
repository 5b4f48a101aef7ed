// SPDX-License-Identifier: Apache-2.0

// Which calls a server with a capacity runs first, where bulk calls end, and which calls take a
// place of it: those of the server's own process and those of generic services as well.

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/support/byte_buffer.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpc_cxl/priority.h"
#include "grpc_cxl/server_builder.h"
#include "test/e2e/holding_server.h"
#include "test/e2e/parity.h"

namespace grpc_cxl::e2e {
namespace {

using Side = ConnectionStatus::Side;
using CapacityOrderTest = CapacityTest;

TEST_F(CapacityOrderTest, UrgentCallsBeginFirst) {
  const auto stub = Start(1);
  OneCall first(*stub, "first");
  ASSERT_TRUE(server_->AwaitHeld(1));
  Calls calls;
  for (const auto& [name, priority] : {std::pair("bulk", Priority::kBulk),
                                       {"default", Priority::kDefault},
                                       {"interactive", Priority::kInteractive}}) {
    calls.emplace_back(*stub, name, absl::Minutes(1), priority);
  }
  EXPECT_TRUE(AwaitWaiting(ConnectionStatus::Side::kServer, 3));
  server_->LetAllGo();
  for (OneCall& call : calls) EXPECT_EQ(call.Await(), grpc::StatusCode::OK);
  EXPECT_EQ(server_->begun(),
            (std::vector<std::string>{"first", "interactive", "default", "bulk"}));
}

TEST_F(CapacityOrderTest, BulkCallsRunInHalfOfIt) {
  const auto stub = Start(4);
  Calls bulk, others;
  for (int i = 0; i < 5; ++i) {
    bulk.emplace_back(*stub, "bulk", absl::Minutes(1), Priority::kBulk);
  }
  ASSERT_TRUE(server_->AwaitHeld(2));
  ASSERT_TRUE(AwaitWaiting(Side::kServer, 3));
  for (int i = 0; i < 3; ++i) others.emplace_back(*stub, "other");
  ASSERT_TRUE(server_->AwaitHeld(4));
  ASSERT_TRUE(AwaitWaiting(Side::kServer, 4));
  EXPECT_EQ(server_->begun(), (std::vector<std::string>{"bulk", "bulk", "other", "other"}));
  // Those that end leave their half to others of their kind.
  server_->LetGo(1);
  ASSERT_TRUE(AwaitWaiting(Side::kServer, 3));
  server_->LetAllGo();
  for (OneCall& call : bulk) EXPECT_EQ(call.Await(), grpc::StatusCode::OK);
  for (OneCall& call : others) EXPECT_EQ(call.Await(), grpc::StatusCode::OK);
}

TEST_F(CapacityOrderTest, BulkCallsTakeHalfOfTheQueue) {
  const auto stub = Start(1, /*max_waiting=*/8);
  Calls bulk, others;
  for (int i = 0; i < 5; ++i) {
    bulk.emplace_back(*stub, "bulk", absl::Minutes(1), Priority::kBulk);
  }
  ASSERT_TRUE(server_->AwaitHeld(1));
  ASSERT_TRUE(AwaitWaiting(Side::kServer, 4));
  OneCall more(*stub, "more", absl::Minutes(1), Priority::kBulk);
  EXPECT_EQ(more.Await(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  for (int i = 0; i < 4; ++i) others.emplace_back(*stub, "other");
  ASSERT_TRUE(AwaitWaiting(Side::kServer, 8));
  OneCall other(*stub, "more");
  EXPECT_EQ(other.Await(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  server_->LetAllGo();
  for (OneCall& call : bulk) EXPECT_EQ(call.Await(), grpc::StatusCode::OK);
  for (OneCall& call : others) EXPECT_EQ(call.Await(), grpc::StatusCode::OK);
}

// A call that waits in the callback API, or runs on the thread of its caller.
grpc::StatusCode Call(Echo::Stub& stub, absl::Duration timeout, Priority priority) {
  ClientCall call{.prepare = [timeout, priority](grpc::ClientContext* context) {
    WithDeadline(timeout)(context);
    SetPriority(context, priority);
  }};
  return Perform(&stub, call).status.error_code();
}

TEST_F(CapacityOrderTest, CallsOfTheOwnProcessTakeAPlaceOfIt) {
  transport_ = Transport::Make(TransportKind::kCxlDirect, WithCapacity(4));
  server_ = std::make_unique<HoldingServer>(*transport_);
  const auto stub = Stub(/*max_waiting=*/1024, /*inline_calls=*/true);
  const Paths paths;
  std::vector<std::thread> callers;
  const auto call = [&](Priority priority) {
    callers.emplace_back([&stub, priority] {
      EXPECT_EQ(Call(*stub, absl::Minutes(1), priority), grpc::StatusCode::OK);
    });
  };
  for (int i = 0; i < 3; ++i) call(Priority::kBulk);
  ASSERT_TRUE(server_->AwaitHeld(2));
  ASSERT_TRUE(AwaitWaiting(Side::kServer, 1));
  for (int i = 0; i < 3; ++i) call(Priority::kDefault);
  ASSERT_TRUE(server_->AwaitHeld(4));
  ASSERT_TRUE(AwaitWaiting(Side::kServer, 2));
  EXPECT_EQ(paths(&DirectCallStats::in_process), 4u);
  server_->LetAllGo();
  for (std::thread& caller : callers) caller.join();
  EXPECT_LE(server_->most(), 4u);
}

TEST_F(CapacityOrderTest, AHandlerOfTheOwnProcessHoldsItsPlace) {
  transport_ = Transport::Make(TransportKind::kCxlDirect, WithCapacity(1));
  server_ = std::make_unique<HoldingServer>(*transport_);
  const auto stub = Stub(/*max_waiting=*/1024, /*inline_calls=*/true);
  const Paths paths;
  const auto status = [&](absl::Duration timeout) {
    return Call(*stub, timeout, Priority::kDefault);
  };
  EXPECT_EQ(status(absl::Milliseconds(100)), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(paths(&DirectCallStats::in_process), 1u);
  EXPECT_EQ(status(absl::Milliseconds(100)), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(server_->begun().size(), 1u);
  server_->LetAllGo();
  EXPECT_EQ(status(absl::Minutes(1)), grpc::StatusCode::OK);
  EXPECT_EQ(server_->begun().size(), 2u);
}

// A generic service whose first call ends when the test says so, whatever becomes of it meanwhile.
class HoldingGenericService final : public grpc::CallbackGenericService {
 public:
  int begun() {
    absl::MutexLock lock(mu_);
    return begun_;
  }
  void LetGo() {
    Reactor* held;
    {
      absl::MutexLock lock(mu_);
      held = std::exchange(held_, nullptr);
    }
    held->Answer();
  }

 private:
  struct Reactor final : grpc::ServerGenericBidiReactor {
    void Answer() {
      const grpc::Slice nothing;
      message = grpc::ByteBuffer(&nothing, 1);
      StartWriteAndFinish(&message, {}, grpc::Status::OK);
    }
    void OnDone() override { delete this; }
    grpc::ByteBuffer message;
  };

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext*) override {
    auto* const reactor = new Reactor;
    {
      absl::MutexLock lock(mu_);
      if (begun_++ == 0) {
        held_ = reactor;
        return reactor;
      }
    }
    reactor->Answer();
    return reactor;
  }

  absl::Mutex mu_;
  int begun_ ABSL_GUARDED_BY(mu_) = 0;
  Reactor* held_ ABSL_GUARDED_BY(mu_) = nullptr;
};

TEST_F(CapacityOrderTest, AGenericServiceHoldsThePlacesOfItsCalls) {
  transport_ = Transport::Make(TransportKind::kCxlDirect, WithCapacity(1));
  HoldingGenericService service;
  ServerBuilder builder;
  builder.AddListeningPort(transport_->address(), transport_->ServerCredentials());
  builder.RegisterCallbackGenericService(&service);
  const auto server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  const auto stub = Stub(/*max_waiting=*/1024);
  const Paths paths;
  const auto status = [&](absl::Duration timeout) {
    return Call(*stub, timeout, Priority::kDefault);
  };
  EXPECT_EQ(status(absl::Milliseconds(100)), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(service.begun(), 1);
  EXPECT_EQ(status(absl::Milliseconds(100)), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(service.begun(), 1) << "its handler goes on";
  service.LetGo();
  EXPECT_EQ(status(absl::Minutes(1)), grpc::StatusCode::OK);
  EXPECT_EQ(service.begun(), 2);
  EXPECT_EQ(paths.direct(), 3u);
  server->Shutdown();
}

// The replicas answer no probe: each holds one call, and others wait there.
TEST_F(CapacityOrderTest, CallsThatWaitAtAStuckReplicaGoToOneThatHasRoom) {
  transport_ = Transport::Make(TransportKind::kCxlDirect, WithCapacity(1, /*replicas=*/true));
  HoldingServer stuck(*transport_), other(*transport_);
  const auto stub = Stub(/*max_waiting=*/1024);
  ASSERT_TRUE(AwaitConnections(2));
  Calls held, waiting;
  for (int i = 0; i < 2; ++i) held.emplace_back(*stub, "held");
  ASSERT_TRUE(stuck.AwaitHeld(1));
  ASSERT_TRUE(other.AwaitHeld(1));
  for (int i = 0; i < 6; ++i) waiting.emplace_back(*stub, "waiting");
  ASSERT_TRUE(AwaitWaiting(Side::kServer, 3));
  other.LetAllGo();
  for (OneCall& call : waiting) EXPECT_EQ(call.Await(), grpc::StatusCode::OK);
  EXPECT_EQ(stuck.begun().size(), 1u);
  EXPECT_EQ(other.begun().size(), 7u);
  stuck.LetAllGo();
  for (OneCall& call : held) EXPECT_EQ(call.Await(), grpc::StatusCode::OK);
  for (OneCall& call : waiting) EXPECT_EQ(call.response.requests(), 0u) << "it went over HTTP/2";
}

}  // namespace
}  // namespace grpc_cxl::e2e
