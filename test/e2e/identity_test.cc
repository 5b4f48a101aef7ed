// What each side is told about the other: peer(), authority and auth_context(). This is
// where transports may differ, so the test is also the documentation.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "test/e2e/calls_fixture.h"

namespace grpc_cxl::e2e {
namespace {

using ::testing::MatchesRegex;

class IdentityTest : public EveryTransport {
 protected:
  // A call that describes itself, and the name that the client has for the server.
  struct Described {
    CallView view;
    std::string clients_peer;
  };
  static Described Describe(EchoPair* pair) {
    grpc::ClientContext context;
    EchoRequest request;
    request.mutable_script()->set_describe(true);
    EchoResponse response;
    const grpc::Status status = pair->stub->Unary(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return {response.view(), context.peer()};
  }
};

TEST_P(IdentityTest, PeerNamesTheOtherEnd) {
  EchoPair pair(GetParam());
  const Described described = Describe(&pair);
  switch (GetParam()) {
    case TransportKind::kTcp:
      EXPECT_THAT(described.view.peer(), MatchesRegex("ipv4:127\\.0\\.0\\.1:[0-9]+"));
      EXPECT_EQ(described.clients_peer, "ipv4:" + pair.transport->address());
      break;
    case TransportKind::kUnix:
      EXPECT_EQ(described.view.peer(), "unix:");
      EXPECT_EQ(described.clients_peer, pair.transport->address());
      break;
    case TransportKind::kCxl: {
      // The other process, as the kernel tells it; here that is this one.
      const std::string me =
          absl::StrCat("unix-abstract:cxl:///e2e/echo@pid=", getpid(), ",uid=", geteuid());
      EXPECT_EQ(described.view.peer(), me);
      EXPECT_EQ(described.clients_peer, me);
      break;
    }
    case TransportKind::kCxlDirect:
      EXPECT_EQ(described.view.peer(), "");
      EXPECT_EQ(described.clients_peer, "dns:///" + pair.transport->address());
      break;
  }
}

TEST_P(IdentityTest, AuthorityNamesTheService) {
  EchoPair pair(GetParam());
  const std::string authority = Describe(&pair).view.authority();
  switch (GetParam()) {
    case TransportKind::kTcp:
      EXPECT_EQ(authority, pair.transport->address());
      break;
    case TransportKind::kUnix:
      EXPECT_EQ("unix:/" + absl::StrReplaceAll(authority, {{"%2F", "/"}}),
                pair.transport->address());
      break;
    case TransportKind::kCxl:
    case TransportKind::kCxlDirect:
      EXPECT_EQ(authority, "e2e.echo");  // the service's name, with dots for slashes
      break;
  }
}

TEST_P(IdentityTest, NobodyIsAuthenticatedWithoutInnerCredentials) {
  EchoPair pair(GetParam());
  const CallView view = Describe(&pair).view;
  EXPECT_FALSE(view.authenticated());
  EXPECT_EQ(view.identity_property(), "");
  if (GetParam() == TransportKind::kCxlDirect) {
    EXPECT_EQ(view.auth_properties_size(), 0);
    return;
  }
  ASSERT_EQ(view.auth_properties_size(), 2) << view.DebugString();
  EXPECT_EQ(view.auth_properties(0).key(), "transport_security_type");
  EXPECT_EQ(view.auth_properties(0).value(), "insecure");
  EXPECT_EQ(view.auth_properties(1).key(), "security_level");
  EXPECT_EQ(view.auth_properties(1).value(), "TSI_SECURITY_NONE");
}

INSTANTIATE_TEST_SUITE_P(Everywhere, IdentityTest, ::testing::ValuesIn(kTestedTransports),
                         TransportName);

}  // namespace
}  // namespace grpc_cxl::e2e
