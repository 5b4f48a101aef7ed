// Proves what a listener for cxl: addresses promises gRPC: several names, and TCP ports
// beside them, on one listener; no Bind() after Start(); a name that cannot be had says why;
// on_shutdown once, when nothing is accepted any more (TestServer checks that each time).

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/endpoint/endpoint_pair.h"
#include "test/event_engine/test_server.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

EventEngine::ResolvedAddress Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return EventEngine::ResolvedAddress(reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

class ListenerTest : public ::testing::Test {
 protected:
  ListenerTest() {
    server_options_.rendezvous_directory = directory_.path();
    channel_options_.rendezvous_directory = directory_.path();
  }

  // Whatever the way, "hello" arrives.
  template <typename Address>
  void ExpectHello(TestServer& server, const Address& address) {
    auto client = ConnectTo(address, channel_options_);
    ASSERT_THAT(client, IsOk());
    const auto accepted = server.Accept();
    ASSERT_NE(accepted, nullptr);
    ASSERT_THAT(WriteAll(**client, "hello"), IsOk());
    ASSERT_THAT(ReadExactly(*accepted, 5), IsOkAndHolds("hello"));
  }

  const TemporaryDirectory directory_;
  ServerOptions server_options_;
  ChannelOptions channel_options_;
};

TEST_F(ListenerTest, SeveralNamesWithOptionsOfTheirOwn) {
  TestServer server;
  ASSERT_THAT(server.Bind("cxl:///payments", server_options_), IsOkAndHolds(1));
  server_options_.max_connections = 1;
  ASSERT_THAT(server.Bind("cxl:///shop/orders", server_options_), IsOkAndHolds(1));
  ASSERT_THAT(server.listener().Start(), IsOk());
  ExpectHello(server, "cxl:///payments");
  ExpectHello(server, "cxl:shop/orders");
  const auto first = ConnectTo("cxl:///shop/orders", channel_options_);
  const auto second = ConnectTo("cxl:///shop/orders", channel_options_);
  EXPECT_FALSE(first.ok() && second.ok());
  const auto other = ConnectTo("cxl:///payments", channel_options_);
  EXPECT_THAT(other, IsOk());
}

TEST_F(ListenerTest, ATcpPortBesideANameInAnyOrder) {
  for (const bool tcp_first : {true, false}) {
    TestServer server;
    absl::StatusOr<int> port;
    if (tcp_first) port = server.listener().Bind(Loopback(0));
    ASSERT_THAT(server.Bind("cxl:///payments", server_options_), IsOk());
    if (!tcp_first) port = server.listener().Bind(Loopback(0));
    ASSERT_THAT(port, IsOk());
    ASSERT_THAT(server.listener().Start(), IsOk());
    ExpectHello(server, "cxl:///payments");
    ExpectHello(server, Loopback(*port));
    ExpectHello(server, "cxl:///payments");
  }
}

TEST_F(ListenerTest, TcpAlone) {
  TestServer server;
  const absl::StatusOr<int> port = server.listener().Bind(Loopback(0));
  ASSERT_THAT(port, IsOk());
  ASSERT_THAT(server.listener().Start(), IsOk());
  ExpectHello(server, Loopback(*port));
}

TEST_F(ListenerTest, ATakenNameNamesItsOwner) {
  TestServer server, other;
  ASSERT_THAT(server.Bind("cxl:///payments", server_options_), IsOk());
  EXPECT_THAT(other.Bind("cxl:///payments", server_options_),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr(absl::StrCat(getpid()))));
  server.Shutdown();
  EXPECT_THAT(other.Bind("cxl:///payments", server_options_), IsOk());
}

TEST_F(ListenerTest, NothingIsBoundOrStartedAfterStart) {
  TestServer server;
  ASSERT_THAT(server.Bind("cxl:///payments", server_options_), IsOk());
  ASSERT_THAT(server.listener().Start(), IsOk());
  EXPECT_THAT(server.Bind("cxl:///late", server_options_),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(server.listener().Bind(Loopback(0)), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(server.listener().Start(), StatusIs(absl::StatusCode::kFailedPrecondition));
  ExpectHello(server, "cxl:///payments");
}

TEST_F(ListenerTest, DestroyedBeforeStartOrBind) {
  { TestServer nothing_bound; }
  TestServer server;
  ASSERT_THAT(server.Bind("cxl:///payments", server_options_), IsOk());
  EXPECT_THAT(directory_.List(), ElementsAre("payments.lock", "payments.sock"));
  server.Shutdown();
  EXPECT_THAT(directory_.List(), IsEmpty());
}

// Endpoints live on without their listener.
TEST_F(ListenerTest, ConnectionsOutliveTheListener) {
  TestServer server;
  ASSERT_THAT(server.Bind("cxl:///payments", server_options_), IsOk());
  ASSERT_THAT(server.listener().Start(), IsOk());
  auto client = ConnectTo("cxl:///payments", channel_options_);
  ASSERT_THAT(client, IsOk());
  const auto accepted = server.Accept();
  server.Shutdown();
  ASSERT_THAT(WriteAll(**client, "still here"), IsOk());
  EXPECT_THAT(ReadExactly(*accepted, 10), IsOkAndHolds("still here"));
}

}  // namespace
}  // namespace grpc_cxl::internal
