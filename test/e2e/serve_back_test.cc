// SPDX-License-Identifier: Apache-2.0

// Servers call their clients: each kind of call, from each kind of handler and after it, until the
// connection ends, whoever ends it.

#include "grpc_cxl/serve_back.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status_matchers.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/server_builder.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/child.h"
#include "test/e2e/lambda_server.h"
#include "test/e2e/parity.h"
#include "test/support/forked_child.h"
#include "test/support/process_state.h"

namespace grpc_cxl::e2e {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using internal::CountOpenFiles;
using internal::Eventually;
using ::testing::HasSubstr;

using Peer = absl::StatusOr<std::shared_ptr<grpc::Channel>>;

// A server that keeps the way to its last caller.
class Hub {
 public:
  explicit Hub(const Transport& transport)
      : server_(transport, [this](auto* context, const EchoRequest&, EchoResponse*) {
          Peer peer = ChannelToPeer(*context);
          absl::MutexLock lock(mu_);
          peer_ = std::move(peer);
          return grpc::Status::OK;
        }) {}

  Peer peer() {
    absl::MutexLock lock(mu_);
    return peer_;
  }
  void Forget() {
    absl::MutexLock lock(mu_);
    peer_ = absl::UnknownError("nobody has called");
  }

 private:
  absl::Mutex mu_;
  Peer peer_ ABSL_GUARDED_BY(mu_) = absl::UnknownError("nobody has called");
  LambdaServer server_;
};

// A server of a client, without an address.
struct OwnServer {
  OwnServer() {
    ServerBuilder builder;
    service->Register(&builder);
    server = builder.BuildAndStart();
  }
  const std::unique_ptr<EchoService> service = EchoService::Make(ServerApi::kCallback);
  std::unique_ptr<grpc::Server> server;
};

grpc::StatusCode CodeOf(Echo::Stub& stub, const ClientCall& call) {
  return Perform(&stub, call).status.error_code();
}

class ServeBackTest : public EveryTransport {
 protected:
  std::unique_ptr<Child> Start(const std::string& role) const {
    return std::make_unique<Child>(role, GetParam(), transport_->place());
  }

  const std::unique_ptr<Transport> transport_ = Transport::Make(GetParam());
};

TEST_P(ServeBackTest, CallsOfAllKindsAfterTheHandlerUntilTheClientIsKilled) {
  int files = 0;
  for (const bool again : {false, true}) {
    Hub hub(*transport_);
    auto client = Start("served_client");
    ASSERT_EQ(client->ReadLine(), "called ");
    const Peer peer = hub.peer();
    ASSERT_THAT(peer, IsOk());
    const auto stub = Echo::NewStub(*peer);
    Connect(**peer);
    const Paths paths;
    for (const RpcKind kind : kAllRpcKinds) {
      ClientCall call = CallOfSize(1 << 20);
      call.kind = kind;
      call.requests[0].mutable_script()->set_response_count(3);
      const Outcome outcome = Perform(stub.get(), call);
      ASSERT_TRUE(outcome.status.ok()) << outcome;
      EXPECT_EQ(outcome.responses[0].payload(), call.requests[0].payload());
    }
    EXPECT_EQ(paths.direct(), 1u) << "whatever the path of the first call";
    ClientCall brief = CallThatWaitsAtGate();
    brief.prepare = WithDeadline(absl::Milliseconds(50));
    EXPECT_EQ(CodeOf(*stub, brief), grpc::DEADLINE_EXCEEDED);

    std::vector<std::thread> callers;
    for (const RpcKind kind : kAllRpcKinds) {
      callers.emplace_back([&stub, kind] {
        EXPECT_EQ(CodeOf(*stub, CallThatWaitsAtGate(kind)), grpc::UNAVAILABLE);
      });
    }
    absl::SleepFor(absl::Milliseconds(50));  // so that most are under way; all end anyway
    client->Kill();
    for (std::thread& caller : callers) caller.join();
    const Outcome late = Perform(stub.get(), {.prepare = WithDeadline(absl::Seconds(20))});
    EXPECT_EQ(late.status.error_code(), grpc::UNAVAILABLE) << late;

    // Another client has another way, which ends with it as well when it goes in order.
    client = Start("served_client");
    ASSERT_EQ(client->ReadLine(), "called ");
    const auto other = Echo::NewStub(hub.peer().value());
    EXPECT_EQ(CodeOf(*other, {}), grpc::OK);
    EXPECT_EQ(client->Finish(), 0);
    EXPECT_THAT(client->output(), HasSubstr("1 calls"));
    EXPECT_EQ(CodeOf(*other, {.prepare = WithDeadline(absl::Seconds(20))}), grpc::UNAVAILABLE);
    hub.Forget();
    if (again) {
      EXPECT_TRUE(Eventually([&] { return CountOpenFiles() <= files; })) << CountOpenFiles();
    }
    files = CountOpenFiles();
  }
}

TEST_P(ServeBackTest, FromTheHandlerAndAgainWithTheNextServer) {
  OwnServer own;
  const auto channel = MakeChannel(*transport_, ServingBack(*own.server));
  const auto stub = Echo::NewStub(channel);
  int files = 0;
  for (int turn = 1; turn <= 3; ++turn) {
    auto server = Start("calling_server");
    ASSERT_EQ(server->ReadLine(), "serving");
    for (int call = 0; call < 2; ++call) {
      const Outcome outcome = Perform(stub.get(), {.prepare = Patiently()});
      ASSERT_TRUE(outcome.status.ok()) << outcome;
      EXPECT_EQ(outcome.responses[0].payload(), "unary client_stream server_stream bidi ");
    }
    EXPECT_EQ(own.service->control().counts().started, turn * 8);
    if (turn > 1) {
      EXPECT_TRUE(Eventually([&] { return CountOpenFiles() <= files; })) << "turn " << turn;
    }
    files = CountOpenFiles();
    // Another channel, equal but for serving back, has a connection of its own.
    const Outcome other = Perform(Echo::NewStub(MakeChannel(*transport_)).get(), {});
    EXPECT_THAT(other.status.error_message(), HasSubstr("grpc_cxl::ServeBack()"));
    server->Kill();
  }
}

TEST_P(ServeBackTest, ManyClientsAtOnce) {
  constexpr int kClients = 4, kCalls = 8;
  const LambdaServer server(*transport_, [](auto* context, const auto& request, auto* response) {
    const Peer peer = ChannelToPeer(*context);
    if (!peer.ok()) return grpc::Status(grpc::INTERNAL, std::string(peer.status().message()));
    grpc::ClientContext back;
    return Echo::NewStub(*peer)->Unary(&back, request, response);
  });
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&, i] {
      OwnServer own;
      const auto stub = Echo::NewStub(MakeChannel(*transport_, ServingBack(*own.server)));
      ClientCall call{.prepare = WithDeadline(absl::Seconds(60))};
      call.requests[0].set_payload(std::to_string(i));
      for (int n = 0; n < kCalls; ++n) {
        const Outcome outcome = Perform(stub.get(), call);
        ASSERT_TRUE(outcome.status.ok()) << outcome;
        ASSERT_EQ(outcome.responses[0].payload(), std::to_string(i));
      }
      EXPECT_EQ(own.service->control().counts().started, kCalls) << "another client was called";
    });
  }
  for (std::thread& client : clients) client.join();
}

TEST_P(ServeBackTest, TheClientsServerEndsInOrder) {
  Hub hub(*transport_);
  OwnServer own;
  const auto channel = MakeChannel(*transport_, ServingBack(*own.server));
  const auto stub = Echo::NewStub(channel);
  ASSERT_EQ(CodeOf(*stub, {}), grpc::OK);
  const auto back = Echo::NewStub(hub.peer().value());
  std::thread caller([&] { EXPECT_EQ(CodeOf(*back, CallThatWaitsAtGate()), grpc::OK); });
  ASSERT_TRUE(own.service->control().AwaitAtGate(1));
  std::thread ends([&] {
    Shutdown(*own.server);
    own.server.reset();
  });
  absl::SleepFor(absl::Milliseconds(20));
  own.service->control().OpenGate();
  caller.join();
  ends.join();
  const Outcome late = Perform(back.get(), {.prepare = WithDeadline(absl::Seconds(20))});
  EXPECT_EQ(late.status.error_code(), grpc::UNAVAILABLE) << late;
  EXPECT_EQ(CodeOf(*stub, {}), grpc::OK) << "the client's own calls go on";
  EXPECT_THAT(hub.peer(), IsOk());
}

// The client is stopped: it neither answers the handshake nor a call.
TEST_P(ServeBackTest, DeadlinesFireWhileTheClientIsStopped) {
  Hub hub(*transport_);
  auto client = Start("served_client");
  ASSERT_EQ(client->ReadLine(), "called ");
  const auto stub = Echo::NewStub(hub.peer().value());
  const ClientCall brief{.prepare = WithDeadline(absl::Milliseconds(100))};
  client->Stop();
  EXPECT_EQ(CodeOf(*stub, brief), grpc::DEADLINE_EXCEEDED);
  client->Continue();
  EXPECT_EQ(CodeOf(*stub, {.prepare = Patiently()}), grpc::OK);
  client->Stop();
  EXPECT_EQ(CodeOf(*stub, brief), grpc::DEADLINE_EXCEEDED);
  client->Continue();
  EXPECT_EQ(CodeOf(*stub, {.prepare = Patiently()}), grpc::OK);
}

// The child has copies of all sockets, also of the line that waits.
TEST_P(ServeBackTest, AForkedChildChangesNothing) {
  Hub hub(*transport_);
  OwnServer own;
  const auto channel = MakeChannel(*transport_, ServingBack(*own.server));
  ASSERT_EQ(CodeOf(*Echo::NewStub(channel), {}), grpc::OK);
  const auto back = Echo::NewStub(hub.peer().value());
  for (int i = 0; i < 3; ++i) {
    internal::ForkedChild child([] {
      pause();
      return std::string();
    });
    EXPECT_EQ(CodeOf(*back, {.prepare = Patiently()}), grpc::OK);
    child.Kill();
    EXPECT_EQ(CodeOf(*back, {.prepare = Patiently()}), grpc::OK);
  }
}

INSTANTIATE_TEST_SUITE_P(All, ServeBackTest,
                         ::testing::Values(TransportKind::kCxl, TransportKind::kCxlDirect),
                         ParamName());

// Whether calls back of this kind are direct, when the client serves with these options, and the
// server that calls has those.
bool IsDirectBack(RpcKind kind, const ServerOptions& options, const ServerOptions& callers = {}) {
  const auto transport = Transport::Make(TransportKind::kCxlDirect, callers);
  Hub hub(*transport);
  OwnServer own;
  const auto channel = MakeChannel(*transport, ServingBack(*own.server, options));
  EXPECT_EQ(CodeOf(*Echo::NewStub(channel), {}), grpc::OK);
  const auto peer = hub.peer().value();
  Connect(*peer);
  const Paths paths;
  EXPECT_EQ(CodeOf(*Echo::NewStub(peer), {.kind = kind}), grpc::OK);
  return paths.direct() + paths(&DirectCallStats::direct_streams) > 0;
}

TEST(ServeBackOptionsTest, AreThoseOfTheConnectionsBack) {
  ServerOptions no_streams, no_calls;
  no_streams.direct_streams = false;
  no_calls.direct_calls = false;
  EXPECT_TRUE(IsDirectBack(RpcKind::kUnary, {}));
  EXPECT_FALSE(IsDirectBack(RpcKind::kUnary, no_calls));
  EXPECT_TRUE(IsDirectBack(RpcKind::kBidi, {}));
  EXPECT_FALSE(IsDirectBack(RpcKind::kBidi, no_streams));
  EXPECT_FALSE(IsDirectBack(RpcKind::kBidi, {}, no_streams)) << "those of the caller count, too";

  OwnServer own;
  grpc::ChannelArguments arguments;
  ASSERT_THAT(ServeBack(*own.server, &arguments, no_streams), IsOk());
  EXPECT_THAT(ServeBack(*own.server, &arguments, no_streams), IsOk());
  EXPECT_THAT(ServeBack(*own.server, &arguments),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("other options")));
  ServerOptions wrong;
  wrong.ring_bytes = 5000;
  EXPECT_THAT(ServeBack(*own.server, &arguments, wrong),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("ring_bytes")));
}

TEST(ServeBackErrorsTest, SayWhatToDo) {
  const auto tcp = Transport::Make(TransportKind::kTcp);
  Hub hub(*tcp);
  OwnServer own;
  const auto stub = Echo::NewStub(MakeChannel(*tcp, ServingBack(*own.server)));
  EXPECT_EQ(CodeOf(*stub, {}), grpc::OK);
  EXPECT_THAT(hub.peer(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                   HasSubstr("shared memory of this host")));
  const auto cxl = Transport::Make(TransportKind::kCxl);
  const auto plain = EchoServer::Start(*cxl);
  grpc::ChannelArguments arguments;
  EXPECT_THAT(ServeBack(plain->server(), &arguments),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("ServerBuilder")));
}

}  // namespace
}  // namespace grpc_cxl::e2e
