// SPDX-License-Identifier: Apache-2.0

// The other process dies or stops in the middle of calls: they end as they should, at
// once, and the channel finds a new server by itself.

#include <gmock/gmock.h>
#include <grpc/impl/channel_arg_names.h>
#include <gtest/gtest.h>

#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/child.h"

namespace grpc_cxl::e2e {
namespace {

constexpr int kCalls = 100;
const absl::Duration kAtOnce = absl::Seconds(2);  // on a loaded machine; measured: a few ms
constexpr size_t kMoreThanFits = 4'000'000;
const ClientCall kPatientCall = {.prepare = Patiently()};

class FaultsTest : public EveryTransport {
 protected:
  FaultsTest()
      : transport_(Transport::Make(GetParam())),
        channel_(MakeChannel(*transport_)),
        stub_(Echo::NewStub(channel_)) {}

  std::unique_ptr<Child> StartChild(const std::string& role,
                                    const std::vector<std::string>& flags = {}) const {
    return std::make_unique<Child>(role, GetParam(), transport_->place(), flags);
  }
  // The channel is connected to it.
  std::unique_ptr<Child> StartServer(const std::vector<std::string>& flags = {}) const {
    auto server = StartChild("server", flags);
    EXPECT_EQ(server->ReadLine(), "serving");
    ExpectServed();
    return server;
  }
  void ExpectServed() const {
    const Outcome outcome = Perform(stub_.get(), kPatientCall);
    EXPECT_TRUE(outcome.status.ok()) << outcome;
  }
  void ExpectEnd(const ClientCall& call, grpc::StatusCode code) const {
    const Outcome outcome = Perform(stub_.get(), call);
    EXPECT_EQ(outcome.status.error_code(), code) << outcome;
  }
  static ClientCall ShortCall(RpcKind kind = RpcKind::kUnary) {
    return {.kind = kind, .prepare = WithDeadline(absl::Milliseconds(200))};
  }

  const std::unique_ptr<Transport> transport_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<Echo::Stub> stub_;
};

// No keepalive, no deadline: nothing but the death itself can end these calls.
TEST_P(FaultsTest, KilledServerEndsItsCallsAtOnce) {
  auto server = StartServer({absl::StrCat("--announce_at_gate=", kCalls)});
  std::vector<std::thread> callers;
  for (int i = 0; i < kCalls; ++i) {
    callers.emplace_back([this, i] {
      ClientCall call = CallThatWaitsAtGate(kAllRpcKinds[i % 4]);
      call.api = kAllClientApis[i % 3];
      ExpectEnd(call, grpc::UNAVAILABLE);
    });
  }
  EXPECT_EQ(server->ReadLine(), "at gate");
  const absl::Time killed = absl::Now();
  server->Kill();
  for (std::thread& caller : callers) caller.join();
  EXPECT_LT(absl::Now() - killed, kAtOnce);
  std::cout << kCalls << " calls ended within " << absl::Now() - killed << std::endl;
}

TEST_P(FaultsTest, NewServerIsFoundByTheSameChannel) {
  auto server = StartServer();
  for (int restart = 0; restart < 5; ++restart) {
    server->Kill();
    ExpectEnd({}, grpc::UNAVAILABLE);
    server = StartChild("server");
    ASSERT_EQ(server->ReadLine(), "serving");
    const absl::Time started = absl::Now();
    ExpectServed();
    // Other transports wait for gRPC's usual back-off of a second and more.
    EXPECT_LT(absl::Now() - started, IsCxl(GetParam()) ? kAtOnce : absl::Seconds(20));
    std::cout << "found again after " << absl::Now() - started << std::endl;
  }
}

// Also while the channel is in the middle of a write that cannot go on. (The call that wrote it
// is another matter: gRPC, on any transport, lets it end when its write does.)
TEST_P(FaultsTest, DeadlinesFireWhileTheServerIsStopped) {
  auto server = StartServer();
  server->Stop();
  for (const RpcKind kind : kAllRpcKinds) ExpectEnd(ShortCall(kind), grpc::DEADLINE_EXCEEDED);
  ClientCall stuck = ShortCall();
  stuck.requests = CallOfSize(kMoreThanFits).requests;
  std::thread caller([&] { ExpectEnd(stuck, grpc::DEADLINE_EXCEEDED); });
  for (int i = 0; i < 3; ++i) {
    const absl::Time start = absl::Now();
    ExpectEnd(ShortCall(), grpc::DEADLINE_EXCEEDED);
    EXPECT_LT(absl::Now() - start, kAtOnce);
  }
  server->Continue();
  caller.join();
  ExpectServed();
}

// And the death of a server in that state is still noticed.
TEST_P(FaultsTest, KilledWhileAWriteIsStuck) {
  auto server = StartServer();
  server->Stop();
  std::thread caller([&] { ExpectEnd(CallOfSize(kMoreThanFits), grpc::UNAVAILABLE); });
  // Once this call is over, the write before it is in the channel.
  ExpectEnd(ShortCall(), grpc::DEADLINE_EXCEEDED);
  const absl::Time killed = absl::Now();
  server->Kill();
  caller.join();
  EXPECT_LT(absl::Now() - killed, kAtOnce);
}

// Keepalive is for a peer that lives but does not answer. (In the middle of a write it does not
// help: there gRPC closes no transport.)
TEST_P(FaultsTest, KeepaliveEndsCallsToAStoppedServer) {
  auto server = StartServer();
  const auto keepalive = [](grpc::ChannelArguments* arguments) {
    arguments->SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments->SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 500);
    // gRPC 1.83 does not come to use the keepalive timeout, only that of the ping.
    arguments->SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 200);
    arguments->SetInt("grpc.http2.ping_timeout_ms", 200);
    // A direct call that was not taken looks for another connection, for 20 s by default.
    arguments->SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 500);
  };
  const auto stub = Echo::NewStub(MakeChannel(*transport_, {.configure = keepalive}));
  ASSERT_TRUE(Perform(stub.get(), kPatientCall).status.ok());
  server->Stop();
  const Outcome outcome = Perform(stub.get(), {});
  EXPECT_EQ(outcome.status.error_code(), grpc::UNAVAILABLE) << outcome;
  if (GetParam() != TransportKind::kCxlDirect) {  // which sends no pings over HTTP/2
    EXPECT_THAT(outcome.status.error_message(), ::testing::HasSubstr("ping timeout"));
  }
}

// A client that stops in the middle of a transfer costs the others nothing.
TEST_P(FaultsTest, StoppedClientStopsNobodyElse) {
  const auto server = EchoServer::Start(*transport_);
  ASSERT_NE(server, nullptr);
  auto stopped = StartChild("busy_client");
  EXPECT_EQ(stopped->ReadLine(), "calling");
  stopped->Stop();
  for (int i = 0; i < 100; ++i) ExpectServed();
  const int64_t before = server->control().counts().started;
  stopped->Continue();
  EXPECT_TRUE(server->control().Await([before](const auto& counts) {
    return counts.started > before;
  })) << "the client did not go on";
  EXPECT_EQ(stopped->Finish(), 0);
}

// The handlers of a killed client's calls learn of it.
TEST_P(FaultsTest, KilledClientCancelsItsCalls) {
  const auto server = EchoServer::Start(*transport_);
  ASSERT_NE(server, nullptr);
  auto client = StartChild("hanging_client");
  EXPECT_TRUE(server->control().AwaitAtGate(4));
  client->Kill();
  EXPECT_TRUE(
      server->control().Await([](const auto& counts) { return counts.finished == 4; }, kAtOnce));
  EXPECT_EQ(server->control().counts().cancelled, 4);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, FaultsTest, ::testing::ValuesIn(kMostTransports), ParamName());

}  // namespace
}  // namespace grpc_cxl::e2e
