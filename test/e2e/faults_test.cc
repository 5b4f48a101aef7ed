// The other process dies or stops in the middle of calls: they end as they should, at
// once, and the channel finds a new server by itself.

#include <gmock/gmock.h>
#include <grpc/impl/channel_arg_names.h>
#include <gtest/gtest.h>

#include <algorithm>
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
#include "test/e2e/echo_call.h"

namespace grpc_cxl::e2e {
namespace {

constexpr int kCalls = 100;
const absl::Duration kAtOnce = absl::Seconds(2);  // on a loaded machine; measured: a few ms

class FaultsTest : public EveryTransport {
 protected:
  FaultsTest()
      : transport_(Transport::Make(GetParam())),
        channel_(MakeChannel(*transport_)),
        stub_(Echo::NewStub(channel_)) {}

  std::unique_ptr<Child> StartChild(const std::string& role,
                                    const std::vector<std::string>& more = {}) const {
    std::vector<std::string> flags = {"--role=" + role, "--transport=" + Name(GetParam()),
                                      "--place=" + transport_->place()};
    flags.insert(flags.end(), more.begin(), more.end());
    return std::make_unique<Child>(flags);
  }
  std::unique_ptr<Child> StartServer(const std::vector<std::string>& more = {}) const {
    auto server = StartChild("server", more);
    EXPECT_EQ(server->ReadLine(), "serving");
    return server;
  }

  static ClientCall PatientCall() {
    return {.prepare = [](grpc::ClientContext* context) {
      context->set_wait_for_ready(true);
      context->set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
    }};
  }
  static ClientCall CallWithDeadline(absl::Duration patience) {
    return {.prepare = [patience](grpc::ClientContext* context) {
      context->set_deadline(absl::ToChronoTime(absl::Now() + patience));
    }};
  }

  const std::unique_ptr<Transport> transport_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<Echo::Stub> stub_;
};

// No keepalive, no deadline: nothing but the death itself can end these calls.
TEST_P(FaultsTest, KilledServerEndsItsCallsAtOnce) {
  auto server = StartServer({absl::StrCat("--announce_at_gate=", kCalls)});
  ASSERT_TRUE(Perform(stub_.get(), PatientCall()).status.ok());
  std::vector<Outcome> outcomes(kCalls);
  std::vector<absl::Time> ends(kCalls);
  std::vector<std::thread> callers;
  for (int i = 0; i < kCalls; ++i) {
    callers.emplace_back([this, i, &outcomes, &ends] {
      ClientCall call{.kind = kAllRpcKinds[i % 4], .api = kAllClientApis[i % 3]};
      call.requests[0].mutable_script()->set_wait_at_gate(true);
      outcomes[i] = Perform(stub_.get(), call);
      ends[i] = absl::Now();
    });
  }
  EXPECT_EQ(server->ReadLine(), "at gate");
  const absl::Time killed = absl::Now();
  server->Kill();
  for (std::thread& caller : callers) caller.join();
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.status.error_code(), grpc::UNAVAILABLE) << outcome;
  }
  const absl::Duration took = *std::max_element(ends.begin(), ends.end()) - killed;
  EXPECT_LT(took, kAtOnce);
  std::cout << kCalls << " calls ended within " << took << " of the kill" << std::endl;
}

TEST_P(FaultsTest, NewServerIsFoundByTheSameChannel) {
  auto server = StartServer();
  for (int restart = 0; restart < 5; ++restart) {
    ASSERT_TRUE(Perform(stub_.get(), PatientCall()).status.ok());
    server->Kill();
    EXPECT_EQ(Perform(stub_.get(), {}).status.error_code(), grpc::UNAVAILABLE);
    server = StartServer();
    const absl::Time started = absl::Now();
    const Outcome outcome = Perform(stub_.get(), PatientCall());
    EXPECT_TRUE(outcome.status.ok()) << outcome;
    const absl::Duration took = absl::Now() - started;
    // Other transports wait for gRPC's usual back-off of a second and more.
    const bool ours = GetParam() == TransportKind::kCxl || GetParam() == TransportKind::kCxlDirect;
    EXPECT_LT(took, ours ? kAtOnce : absl::Seconds(20));
    std::cout << "found again after " << took << std::endl;
  }
}

TEST_P(FaultsTest, DeadlinesFireWhileTheServerIsStopped) {
  auto server = StartServer();
  ASSERT_TRUE(Perform(stub_.get(), PatientCall()).status.ok());
  server->Stop();
  for (const RpcKind kind : kAllRpcKinds) {
    ClientCall call = CallWithDeadline(absl::Milliseconds(200));
    call.kind = kind;
    EXPECT_EQ(Perform(stub_.get(), call).status.error_code(), grpc::DEADLINE_EXCEEDED);
  }
  server->Continue();
  const Outcome outcome = Perform(stub_.get(), PatientCall());
  EXPECT_TRUE(outcome.status.ok()) << outcome;
}

// The same while the channel is in the middle of a write that cannot go on. (The call that
// wrote it is another matter: gRPC, on any transport, lets it end when its write does.)
TEST_P(FaultsTest, DeadlinesFireWhileAWriteIsStuck) {
  auto server = StartServer();
  ASSERT_TRUE(Perform(stub_.get(), PatientCall()).status.ok());
  server->Stop();
  Outcome stuck;
  std::thread caller([this, &stuck] {
    ClientCall call = CallWithDeadline(absl::Milliseconds(200));
    call.requests[0].set_payload(Pattern(4'000'000));
    stuck = Perform(stub_.get(), call);
  });
  for (int i = 0; i < 3; ++i) {
    const absl::Time start = absl::Now();
    const Outcome outcome = Perform(stub_.get(), CallWithDeadline(absl::Milliseconds(200)));
    EXPECT_EQ(outcome.status.error_code(), grpc::DEADLINE_EXCEEDED) << outcome;
    EXPECT_LT(absl::Now() - start, kAtOnce);
  }
  server->Continue();
  caller.join();
  EXPECT_EQ(stuck.status.error_code(), grpc::DEADLINE_EXCEEDED) << stuck;
  const Outcome outcome = Perform(stub_.get(), PatientCall());
  EXPECT_TRUE(outcome.status.ok()) << outcome;
}

// And the death of a server in that state is still noticed.
TEST_P(FaultsTest, KilledWhileAWriteIsStuck) {
  auto server = StartServer();
  ASSERT_TRUE(Perform(stub_.get(), PatientCall()).status.ok());
  server->Stop();
  Outcome outcome;
  std::thread caller([this, &outcome] {
    ClientCall call;
    call.requests[0].set_payload(Pattern(4'000'000));
    outcome = Perform(stub_.get(), call);
  });
  // Once this call is over, the write before it is in the channel.
  ClientCall probe = CallWithDeadline(absl::Milliseconds(200));
  EXPECT_EQ(Perform(stub_.get(), probe).status.error_code(), grpc::DEADLINE_EXCEEDED);
  const absl::Time killed = absl::Now();
  server->Kill();
  caller.join();
  EXPECT_EQ(outcome.status.error_code(), grpc::UNAVAILABLE) << outcome;
  EXPECT_LT(absl::Now() - killed, kAtOnce);
}

// Keepalive is for a peer that lives but does not answer.
ChannelSettings Keepalive() {
  return {.configure = [](grpc::ChannelArguments* arguments) {
    arguments->SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments->SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 500);
    // gRPC 1.83 does not come to use the keepalive timeout, only that of the ping.
    arguments->SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 200);
    arguments->SetInt("grpc.http2.ping_timeout_ms", 200);
  }};
}

TEST_P(FaultsTest, KeepaliveEndsCallsToAStoppedServer) {
  auto server = StartServer();
  const auto stub = Echo::NewStub(MakeChannel(*transport_, Keepalive()));
  ASSERT_TRUE(Perform(stub.get(), PatientCall()).status.ok());
  server->Stop();
  const Outcome outcome = Perform(stub.get(), {});
  EXPECT_EQ(outcome.status.error_code(), grpc::UNAVAILABLE) << outcome;
  if (GetParam() != TransportKind::kCxlDirect) {  // which sends no pings over HTTP/2
    EXPECT_THAT(outcome.status.error_message(), ::testing::HasSubstr("ping timeout"));
  }
}

TEST_P(FaultsTest, KeepaliveEndsAStuckWrite) {
  if (GetParam() != TransportKind::kTcp) {
    GTEST_SKIP() << "gRPC closes no transport in the middle of a write; tcp alone is told by the "
                    "kernel (TCP_USER_TIMEOUT) that the write is lost";
  }
  auto server = StartServer();
  const auto stub = Echo::NewStub(MakeChannel(*transport_, Keepalive()));
  ASSERT_TRUE(Perform(stub.get(), PatientCall()).status.ok());
  server->Stop();
  ClientCall call;
  call.requests[0].set_payload(Pattern(4'000'000));
  const Outcome outcome = Perform(stub.get(), call);
  EXPECT_EQ(outcome.status.error_code(), grpc::UNAVAILABLE) << outcome;
}

// A client that stops in the middle of a transfer costs the others nothing.
TEST_P(FaultsTest, StoppedClientStopsNobodyElse) {
  const auto server = EchoServer::Start(*transport_);
  ASSERT_NE(server, nullptr);
  auto stopped = StartChild("busy_client");
  EXPECT_EQ(stopped->ReadLine(), "calling");
  stopped->Stop();
  for (int i = 0; i < 100; ++i) {
    const Outcome outcome = Perform(stub_.get(), PatientCall());
    ASSERT_TRUE(outcome.status.ok()) << outcome;
  }
  stopped->Continue();
  EXPECT_TRUE(server->control().Await([before =
                                           server->control().counts().started](const auto& counts) {
    return counts.started > before;
  })) << "the client did not go on";
  EXPECT_EQ(stopped->Finish(), 0);
}

// The handlers of a killed client's calls learn of it.
TEST_P(FaultsTest, KilledClientCancelsItsCalls) {
  const auto server = EchoServer::Start(*transport_);
  ASSERT_NE(server, nullptr);
  auto client = StartChild("hanging_client");
  EXPECT_TRUE(server->control().Await([](const auto& counts) { return counts.at_gate == 4; }));
  client->Kill();
  EXPECT_TRUE(
      server->control().Await([](const auto& counts) { return counts.finished == 4; }, kAtOnce));
  EXPECT_EQ(server->control().counts().cancelled, 4);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, FaultsTest, ::testing::ValuesIn(kTestedTransports),
                         TransportName);

}  // namespace
}  // namespace grpc_cxl::e2e
