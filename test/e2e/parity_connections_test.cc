// SPDX-License-Identifier: Apache-2.0

// Whatever connections there are, and whenever they were made: calls that can be direct are.

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "test/e2e/parity.h"

namespace grpc_cxl::e2e {
namespace {

TEST(ParityConnectionsTest, AChannelGoesOnWhenAnotherIsGone) {
  EchoPair pair(TransportKind::kCxlDirect);
  auto other = MakeChannel(*pair.transport, OwnConnection());
  Connect(*other);
  other.reset();
  const Paths paths;
  // The other's connection ends meanwhile.
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(pair.Run({}).status.ok());
    absl::SleepFor(absl::Milliseconds(1));
  }
  EXPECT_EQ(paths(&DirectCallStats::no_connection), 0u);
}

TEST(ParityConnectionsTest, CallsTakeTheLeastLoaded) {
  constexpr int kCalls = 100;  // more than a connection has slots for
  EchoPair pair(TransportKind::kCxlDirect);
  const auto other = MakeChannel(*pair.transport, OwnConnection());
  Connect(*other);
  const Paths paths;
  std::vector<std::thread> callers;
  for (int i = 0; i < kCalls; ++i) {
    callers.emplace_back([&] { EXPECT_TRUE(pair.Run(CallThatWaitsAtGate()).status.ok()); });
  }
  EXPECT_TRUE(pair.control().AwaitAtGate(kCalls));
  EXPECT_EQ(paths.direct(), static_cast<uint64_t>(kCalls));
  pair.control().OpenGate();
  for (std::thread& caller : callers) caller.join();
}

TEST(ParityConnectionsTest, AConnectionMadeBeforeDirectCallsWereEnabledHasThemToo) {
  const auto transport = Transport::Make(TransportKind::kCxlDirect);
  const auto service = EchoService::Make(ServerApi::kCallback);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(transport->address(), transport->ServerCredentials());
  service->Register(&builder);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const auto channel = MakeChannel(*transport);
  Connect(*channel);
  const auto stub = Echo::NewStub(channel);
  const Paths paths;
  EXPECT_TRUE(Perform(stub.get(), {}).status.ok());
  EXPECT_EQ(paths(&DirectCallStats::no_connection), 1u);
  ASSERT_TRUE(EnableDirectCalls(*server).ok());
  EXPECT_TRUE(Perform(stub.get(), {}).status.ok());
  EXPECT_EQ(paths.direct(), 1u);
  grpc_cxl::Shutdown(*server);
}

}  // namespace
}  // namespace grpc_cxl::e2e
