// SPDX-License-Identifier: Apache-2.0

// What each side is told about the other: peer(), authority and auth_context(). This is
// where transports may differ, so the test is also the documentation. With TLS inside, the
// server's certificate is checked against the service's name, client certificates and call
// credentials arrive, and auth_context() says the same as on TCP.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpc/grpc_security.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/server_credentials.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/lambda_server.h"
#include "test/e2e/tls.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::Matcher;
using ::testing::MatchesRegex;

class IdentityTest : public EveryTransport {};

TEST_P(IdentityTest, OfTheOtherEnd) {
  EchoPair pair(GetParam());
  grpc::ClientContext context;
  EchoRequest request;
  request.mutable_script()->set_describe(true);
  EchoResponse response;
  const grpc::Status status = pair.stub->Unary(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const CallView& view = response.view();

  const std::string address = pair.transport->address();
  // The other process, as the kernel tells it; here that is this one.
  const std::string me =
      absl::StrCat("unix-abstract:cxl:///e2e/echo@pid=", getpid(), ",uid=", geteuid());
  const std::string service = "e2e.echo";  // the service's name, with dots for slashes
  struct Expected {
    Matcher<std::string> clients_peer, servers_peer;
    std::string authority;
    int auth_properties;
  };
  const std::map<TransportKind, Expected> expected = {
      {TransportKind::kTcp,
       {"ipv4:" + address, MatchesRegex("ipv4:127\\.0\\.0\\.1:[0-9]+"), address, 2}},
      {TransportKind::kUnix,
       {address, "unix:", absl::StrReplaceAll(address, {{"unix:/", ""}, {"/", "%2F"}}), 2}},
      {TransportKind::kCxl, {me, MatchesRegex(me + ",seal=[0-9a-f]+"), service, 2}},
      {TransportKind::kCxlDirect, {"dns:///" + address, "", service, 0}}};
  const Expected& here = expected.at(GetParam());
  EXPECT_THAT(context.peer(), here.clients_peer);
  EXPECT_THAT(view.peer(), here.servers_peer);
  EXPECT_EQ(view.authority(), here.authority);

  // Nobody is authenticated without inner credentials.
  EXPECT_FALSE(view.authenticated());
  EXPECT_EQ(view.identity_property(), "");
  ASSERT_EQ(view.auth_properties_size(), here.auth_properties) << view.DebugString();
  if (here.auth_properties == 0) return;
  EXPECT_EQ(view.auth_properties(0).key(), "transport_security_type");
  EXPECT_EQ(view.auth_properties(0).value(), "insecure");
  EXPECT_EQ(view.auth_properties(1).key(), "security_level");
  EXPECT_EQ(view.auth_properties(1).value(), "TSI_SECURITY_NONE");
}

// What a client sends under the key of direct calls says nothing about it, on any path.
TEST_P(IdentityTest, CallPeerDoesNotAskTheClient) {
  std::optional<CallPeerIdentity> peer;
  size_t entries = 0, forged = 0;
  const auto place = Transport::Make(GetParam());
  const LambdaServer server(*place, [&](grpc::CallbackServerContext* context, const auto&, auto*) {
    peer = CallPeer(*context);
    const auto [begin, end] = context->client_metadata().equal_range("cxl-peer-bin");
    entries = std::distance(begin, end);
    forged = std::count_if(begin, end, [](const auto& entry) { return entry.second == "forged"; });
    return grpc::Status::OK;
  });
  const auto channel = MakeChannel(*place);
  Connect(*channel);
  grpc::ClientContext context;
  context.AddMetadata("cxl-peer-bin", "forged");
  EchoResponse response;
  EXPECT_TRUE(Echo::NewStub(channel)->Unary(&context, {}, &response).ok());
  ASSERT_EQ(peer.has_value(), IsCxl(GetParam()));
  if (peer.has_value()) {
    EXPECT_EQ(peer->pid, getpid());
    EXPECT_EQ(peer->uid, geteuid());
  }
  EXPECT_EQ(entries, 1u);
  EXPECT_EQ(forged, GetParam() == TransportKind::kCxlDirect ? 0u : 1u);
}

// Calls `peer` on a server whose client came in through a unix socket that is bound to `name`.
std::optional<CallPeerIdentity> PeerOfClientNamed(const std::string& name) {
  class Service final : public Echo::Service {
   public:
    grpc::Status Unary(grpc::ServerContext* context, const EchoRequest*, EchoResponse*) override {
      peer_text = context->peer();
      peer = CallPeer(*context);
      return grpc::Status::OK;
    }
    std::string peer_text;
    std::optional<CallPeerIdentity> peer;
  } service;
  const internal::TemporaryDirectory directory("/tmp");
  const std::string path = directory.path() + "/unix";
  ServerOptions options;
  options.rendezvous_directory = directory.path();
  grpc::ServerBuilder builder;
  builder.AddListeningPort("cxl:///e2e/echo", ServerCredentials(options));
  builder.AddListeningPort("unix:" + path, grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();

  const auto abstract = [](const std::string& text, bool hidden) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    text.copy(address.sun_path + hidden, sizeof(address.sun_path) - 1);
    return address;
  };
  const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un own = abstract(name, true), servers = abstract(path, false);
  PCHECK(bind(client, reinterpret_cast<const sockaddr*>(&own),
              offsetof(sockaddr_un, sun_path) + 1 + name.size()) == 0);
  PCHECK(connect(client, reinterpret_cast<const sockaddr*>(&servers), sizeof(servers)) == 0);
  PCHECK(fcntl(client, F_SETFL, O_NONBLOCK) == 0);
  const auto stub = Echo::NewStub(grpc::CreateInsecureChannelFromFd("client", client));
  grpc::ClientContext context;
  context.AddMetadata("cxl-peer-bin", "unix-abstract:" + name);
  EchoResponse response;
  const grpc::Status status = stub->Unary(&context, {}, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(service.peer_text, HasSubstr(name)) << "the test does not try what it should";
  return service.peer;
}

TEST(CallPeerTest, CannotBeForgedThroughAUnixSocket) {
  EXPECT_FALSE(PeerOfClientNamed("cxl:///x@pid=1,uid=0").has_value());
  EXPECT_FALSE(PeerOfClientNamed("cxl:///x@pid=1,uid=0,seal=0123456789abcdef").has_value());
}

// The certificate names the service ("e2e.echo") and tcp's 127.0.0.1, so nothing has to be
// set. A unix channel has no name to check but the path: it must be told one.
ChannelSettings Channel(TransportKind kind, std::shared_ptr<grpc::ChannelCredentials> security) {
  return {.security = std::move(security), .configure = [kind](grpc::ChannelArguments* arguments) {
            if (kind == TransportKind::kUnix) arguments->SetSslTargetNameOverride("e2e.echo");
          }};
}

// All that the handler of a call sees, but for the names of the transport.
CallView ViewOfCall(EchoPair& pair) {
  ClientCall call = CallOfSize(1 << 20);
  call.requests[0].mutable_script()->set_describe(true);
  const Outcome outcome = pair.Run(call);
  EXPECT_TRUE(outcome.status.ok()) << outcome;
  if (!outcome.status.ok()) return {};
  EXPECT_EQ(outcome.responses[0].payload(), call.requests[0].payload());
  CallView view = outcome.responses[0].view();
  view.clear_peer();
  view.clear_authority();
  return view;
}

class TlsTest : public EveryTransport {};

TEST_P(TlsTest, CarriesCallsWithAndWithoutClientCertificate) {
  for (const std::string client : {"", "client"}) {
    const auto view_on = [&client](TransportKind kind) {
      EchoPair pair(kind, {.security = ServerTls("server", /*ask_for_client=*/!client.empty())},
                    Channel(kind, ClientTls(client)));
      return ViewOfCall(pair);
    };
    const CallView view = view_on(GetParam());
    EXPECT_EQ(view.authenticated(), !client.empty());
    EXPECT_EQ(view.identity_property(), client.empty() ? "" : "x509_subject_alternative_name");
    EXPECT_EQ(view.DebugString(), view_on(TransportKind::kTcp).DebugString());
  }
}

TEST_P(TlsTest, ServerWithAnotherNameIsNotBelieved) {
  EchoPair pair(GetParam(), {.security = ServerTls("stranger")}, Channel(GetParam(), ClientTls()));
  const Outcome outcome = pair.Run({});
  EXPECT_EQ(outcome.status.error_code(), grpc::UNAVAILABLE) << outcome;
  EXPECT_THAT(outcome.status.error_message(), HasSubstr("is not in peer certificate"));
  EXPECT_EQ(pair.control().counts().started, 0);
}

TEST_P(TlsTest, PlainClientGetsNothing) {
  EchoPair pair(GetParam(), {.security = ServerTls("server")});
  EXPECT_EQ(pair.Run({}).status.error_code(), grpc::UNAVAILABLE);
  EXPECT_EQ(pair.control().counts().started, 0);
}

// A server may look at the metadata before its handlers do.
class TokenProcessor final : public grpc::AuthMetadataProcessor {
 public:
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext*, OutputMetadata*,
                       OutputMetadata*) override {
    const auto token = metadata.find("authorization");
    if (token != metadata.end() && token->second == "Bearer secret") return grpc::Status::OK;
    return {grpc::UNAUTHENTICATED, "no token"};
  }
};

TEST_P(TlsTest, AuthMetadataProcessorIsAsked) {
  for (const auto& [token, code] :
       {std::pair("secret", grpc::OK), std::pair("wrong", grpc::UNAUTHENTICATED)}) {
    EchoPair pair(
        GetParam(),
        {.security = ServerTls("server"), .processor = std::make_shared<TokenProcessor>()},
        Channel(GetParam(), grpc::CompositeChannelCredentials(
                                ClientTls(), grpc::AccessTokenCredentials(token))));
    const Outcome outcome = pair.Run({});
    EXPECT_EQ(outcome.status.error_code(), code) << outcome;
  }
}

INSTANTIATE_TEST_SUITE_P(Everywhere, IdentityTest, ::testing::ValuesIn(kTestedTransports),
                         ParamName());
INSTANTIATE_TEST_SUITE_P(Everywhere, TlsTest, ::testing::ValuesIn(kTestedTransports), ParamName());

}  // namespace
}  // namespace grpc_cxl::e2e
