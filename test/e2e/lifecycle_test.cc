// SPDX-License-Identifier: Apache-2.0

// Channels and servers come and go as they do on TCP: waiting for a server that is not
// there yet, restarts, shutting down with calls running, idle channels, aged connections,
// keepalive.

#include <grpc/impl/channel_arg_names.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "test/e2e/calls_fixture.h"

namespace grpc_cxl::e2e {
namespace {

// Far more than anything here needs.
const absl::Duration kPatience = absl::Seconds(20);

const ClientCall kPatientCall = {.prepare = Patiently(kPatience)};

bool AwaitState(grpc::Channel* channel, grpc_connectivity_state wanted) {
  const auto deadline = absl::ToChronoTime(absl::Now() + kPatience);
  grpc_connectivity_state state;
  while ((state = channel->GetState(/*try_to_connect=*/false)) != wanted) {
    if (!channel->WaitForStateChange(state, deadline)) return false;
  }
  return true;
}

class LifecycleTest : public EveryTransport {};

TEST_P(LifecycleTest, WithoutAServer) {
  EchoPair pair(GetParam());
  Outcome outcome = pair.Run({});
  EXPECT_TRUE(outcome.status.ok()) << outcome;
  pair.server.reset();
  outcome = pair.Run({});
  EXPECT_EQ(outcome.status.error_code(), grpc::UNAVAILABLE) << outcome;
  EXPECT_NE(outcome.status.error_message(), "");
  // A patient call gives up at its deadline,
  outcome = pair.Run({.prepare = Patiently(absl::Milliseconds(300))});
  EXPECT_EQ(outcome.status.error_code(), grpc::DEADLINE_EXCEEDED) << outcome;
  // or waits for the server.
  absl::Notification done;
  std::thread caller([&] {
    outcome = pair.Run(kPatientCall);
    done.Notify();
  });
  EXPECT_TRUE(AwaitState(pair.channel.get(), GRPC_CHANNEL_TRANSIENT_FAILURE));
  EXPECT_FALSE(done.HasBeenNotified());
  pair.server = EchoServer::Start(*pair.transport);
  ASSERT_NE(pair.server, nullptr);
  caller.join();
  EXPECT_TRUE(outcome.status.ok()) << outcome;
}

TEST_P(LifecycleTest, ShutdownLetsRunningCallsFinish) {
  EchoPair pair(GetParam());
  Outcome outcome;
  std::thread caller([&] { outcome = pair.Run(CallThatWaitsAtGate()); });
  EXPECT_TRUE(pair.control().AwaitAtGate(1));
  std::thread closer([&] { pair.server->Shutdown(absl::Now() + kPatience); });
  // The server has asked the channel to go away once it is no longer ready.
  EXPECT_TRUE(pair.channel->WaitForStateChange(GRPC_CHANNEL_READY,
                                               absl::ToChronoTime(absl::Now() + kPatience)));
  EXPECT_EQ(pair.Run({}).status.error_code(), grpc::UNAVAILABLE);
  pair.control().OpenGate();
  caller.join();
  closer.join();
  EXPECT_TRUE(outcome.status.ok()) << outcome;
}

TEST_P(LifecycleTest, ShutdownCutsCallsAtItsDeadline) {
  const auto cut = [](TransportKind kind) {
    EchoPair pair(kind);
    Outcome outcome;
    std::thread caller([&] { outcome = pair.Run(CallThatWaitsAtGate()); });
    EXPECT_TRUE(pair.control().AwaitAtGate(1));
    pair.server->Shutdown(absl::Now() + absl::Milliseconds(100));
    EXPECT_EQ(pair.control().counts().finished, 1);
    caller.join();
    EXPECT_FALSE(outcome.status.ok());
    return Describe(outcome);
  };
  EXPECT_EQ(cut(GetParam()), cut(TransportKind::kTcp));
}

TEST_P(LifecycleTest, IdleChannelConnectsAgain) {
  if (GetParam() == TransportKind::kCxlDirect) {
    GTEST_SKIP() << "direct calls do not start the channel's idle timer: see direct_calls.h";
  }
  EchoPair pair(GetParam(), {}, {.configure = [](grpc::ChannelArguments* arguments) {
                  arguments->SetInt(GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS, 100);
                }});
  EXPECT_TRUE(pair.Run({}).status.ok());
  EXPECT_TRUE(AwaitState(pair.channel.get(), GRPC_CHANNEL_IDLE));
  EXPECT_TRUE(pair.Run({}).status.ok());
}

// The server closes each connection after about 100 ms; nobody may notice.
TEST_P(LifecycleTest, AgedConnectionsAreReplacedUnnoticed) {
  EchoPair pair(GetParam(), {.configure = [](grpc::ServerBuilder* builder) {
                  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, 100);
                }});
  for (const absl::Time start = absl::Now(); absl::Now() - start < absl::Seconds(1);) {
    const Outcome outcome = pair.Run(kPatientCall);
    ASSERT_TRUE(outcome.status.ok()) << outcome;
  }
}

TEST_P(LifecycleTest, KeepalivePingsAreAnswered) {
  const auto permit = [](grpc::ServerBuilder* builder) {
    builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1);
    builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  };
  const auto ping = [](grpc::ChannelArguments* arguments) {
    arguments->SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 50);
    arguments->SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
    arguments->SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    arguments->SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  };
  EchoPair pair(GetParam(), {.configure = permit}, {.configure = ping});
  EXPECT_TRUE(pair.Run({}).status.ok());
  // An unanswered or unwelcome ping would end the connection.
  EXPECT_FALSE(pair.channel->WaitForStateChange(
      GRPC_CHANNEL_READY, absl::ToChronoTime(absl::Now() + absl::Seconds(1))));
  EXPECT_TRUE(pair.Run({}).status.ok());
}

INSTANTIATE_TEST_SUITE_P(Everywhere, LifecycleTest, ::testing::ValuesIn(kTestedTransports),
                         ParamName());

}  // namespace
}  // namespace grpc_cxl::e2e
