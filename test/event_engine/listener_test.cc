// SPDX-License-Identifier: Apache-2.0
// Proves what a listener for cxl: addresses promises gRPC: several names, and TCP ports
// beside them, on one listener; no Bind() after Start(); a name that cannot be had says why;
// on_shutdown once, when nothing is accepted any more (TestServer checks that each time).

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/endpoint/endpoint_pair.h"
#include "test/event_engine/test_server.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using ListenerTest = EngineTest;

EventEngine::ResolvedAddress Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return EventEngine::ResolvedAddress(reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

TEST_F(ListenerTest, SeveralNamesWithOptionsOfTheirOwn) {
  TestServer server;
  ASSERT_THAT(server.Bind(kPayments, server_options_), IsOkAndHolds(1));
  server_options_.max_connections = 1;
  ASSERT_THAT(server.Bind("cxl:///shop/orders", server_options_), IsOkAndHolds(1));
  ASSERT_THAT(server.listener().Start(), IsOk());
  ExpectHello(server, kPayments);
  ExpectHello(server, "cxl:shop/orders");
  const auto first = ConnectTo("cxl:///shop/orders", channel_options_);
  const auto second = ConnectTo("cxl:///shop/orders", channel_options_);
  EXPECT_FALSE(first.ok() && second.ok());
  EXPECT_THAT(Connect(), IsOk());
}

TEST_F(ListenerTest, ATcpPortBesideANameInAnyOrderOrAlone) {
  enum { kAlone, kFirst, kLast };
  for (const auto tcp : {kAlone, kFirst, kLast}) {
    TestServer server;
    absl::StatusOr<int> port;
    if (tcp != kLast) port = server.listener().Bind(Loopback(0));
    if (tcp != kAlone) {
      ASSERT_THAT(server.Bind(kPayments, server_options_), IsOk());
    }
    if (tcp == kLast) port = server.listener().Bind(Loopback(0));
    ASSERT_THAT(port, IsOk());
    ASSERT_THAT(server.listener().Start(), IsOk());
    if (tcp != kAlone) ExpectHello(server, kPayments);
    ExpectHello(server, Loopback(*port));
    if (tcp != kAlone) ExpectHello(server, kPayments);
  }
}

TEST_F(ListenerTest, ATakenNameNamesItsOwner) {
  TestServer server, other;
  ASSERT_THAT(server.Bind(kPayments, server_options_), IsOk());
  EXPECT_THAT(other.Bind(kPayments, server_options_),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr(absl::StrCat(getpid()))));
  server.Shutdown();
  EXPECT_THAT(other.Bind(kPayments, server_options_), IsOk());
}

TEST_F(ListenerTest, NothingIsBoundOrStartedAfterStart) {
  TestServer server;
  Start(server);
  const auto late = StatusIs(absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(server.Bind("cxl:///late", server_options_), late);
  EXPECT_THAT(server.listener().Bind(Loopback(0)), late);
  EXPECT_THAT(server.listener().Start(), late);
  ExpectHello(server, kPayments);
}

TEST_F(ListenerTest, DestroyedBeforeStartOrBind) {
  { TestServer nothing_bound; }
  TestServer server;
  ASSERT_THAT(server.Bind(kPayments, server_options_), IsOk());
  EXPECT_THAT(directory_.List(), ElementsAre("payments.lock", "payments.sock"));
  server.Shutdown();
  EXPECT_THAT(directory_.List(), IsEmpty());
}

TEST_F(ListenerTest, ConnectionsOutliveTheListener) {
  TestServer server;
  Start(server);
  const auto client = Connect();
  ASSERT_THAT(client, IsOk());
  const auto accepted = server.Accept();
  server.Shutdown();
  ASSERT_THAT(WriteAll(**client, "still here"), IsOk());
  EXPECT_THAT(ReadExactly(*accepted, 10), IsOkAndHolds("still here"));
}

}  // namespace
}  // namespace grpc_cxl::internal
