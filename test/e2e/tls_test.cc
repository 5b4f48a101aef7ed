// TLS inside the transport: it works, the server's certificate is checked against the
// service's name, client certificates and call credentials arrive, and auth_context()
// says the same as on TCP.

#include <gmock/gmock.h>
#include <grpc/grpc_security.h>
#include <grpcpp/security/auth_metadata_processor.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "absl/log/check.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/echo_call.h"

namespace grpc_cxl::e2e {
namespace {

using ::testing::HasSubstr;

// See testdata/make_certificates.sh. `file` in the way of "server.pem".
std::string TestData(const std::string& file) {
  std::ifstream in("test/e2e/testdata/" + file);
  CHECK(in.is_open()) << "no " << file << "; run this test from the workspace's top";
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::shared_ptr<grpc::ServerCredentials> ServerTls(const std::string& owner,
                                                   bool ask_for_client = false) {
  grpc::SslServerCredentialsOptions options(
      ask_for_client ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                     : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  options.pem_root_certs = TestData("ca.pem");
  options.pem_key_cert_pairs.push_back({TestData(owner + ".key"), TestData(owner + ".pem")});
  return grpc::SslServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> ClientTls(const std::string& owner = "") {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = TestData("ca.pem");
  if (!owner.empty()) {
    options.pem_private_key = TestData(owner + ".key");
    options.pem_cert_chain = TestData(owner + ".pem");
  }
  return grpc::SslCredentials(options);
}

// The certificate names the service ("e2e.echo") and tcp's 127.0.0.1, so nothing has to be
// set. A unix channel has no name to check but the path: it must be told one.
ChannelSettings Channel(TransportKind kind, std::shared_ptr<grpc::ChannelCredentials> security) {
  return {.security = std::move(security), .configure = [kind](grpc::ChannelArguments* arguments) {
            if (kind == TransportKind::kUnix) arguments->SetSslTargetNameOverride("e2e.echo");
          }};
}

ClientCall DescribedCall() {
  ClientCall call;
  call.requests[0].mutable_script()->set_describe(true);
  call.requests[0].set_payload(Pattern(1 << 20));
  return call;
}

// Everything the two ends see, but for the names of the transport.
std::string WithoutNames(Outcome outcome) {
  for (EchoResponse& response : outcome.responses) {
    response.mutable_view()->clear_peer();
    response.mutable_view()->clear_authority();
  }
  return Describe(outcome);
}

class TlsTest : public EveryTransport {};

TEST_P(TlsTest, CarriesCalls) {
  const auto describe = [](TransportKind kind) {
    EchoPair pair(kind, {.security = ServerTls("server")}, Channel(kind, ClientTls()));
    const Outcome outcome = pair.Run(DescribedCall());
    EXPECT_TRUE(outcome.status.ok()) << outcome;
    return WithoutNames(outcome);
  };
  EXPECT_EQ(describe(GetParam()), describe(TransportKind::kTcp));
}

TEST_P(TlsTest, ClientCertificateIsTheIdentity) {
  const auto describe = [](TransportKind kind) {
    EchoPair pair(kind, {.security = ServerTls("server", /*ask_for_client=*/true)},
                  Channel(kind, ClientTls("client")));
    const Outcome outcome = pair.Run(DescribedCall());
    EXPECT_TRUE(outcome.status.ok()) << outcome;
    if (!outcome.responses.empty()) {
      EXPECT_TRUE(outcome.responses[0].view().authenticated());
      EXPECT_EQ(outcome.responses[0].view().identity_property(), "x509_subject_alternative_name");
    }
    return WithoutNames(outcome);
  };
  EXPECT_EQ(describe(GetParam()), describe(TransportKind::kTcp));
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

TEST_P(TlsTest, CallCredentialsGoInside) {
  EchoPair pair(GetParam(), {.security = ServerTls("server")},
                Channel(GetParam(), grpc::CompositeChannelCredentials(
                                        ClientTls(), grpc::AccessTokenCredentials("secret"))));
  const Outcome outcome = pair.Run(DescribedCall());
  ASSERT_TRUE(outcome.status.ok()) << outcome;
  EXPECT_THAT(outcome.responses[0].view().DebugString(), HasSubstr("Bearer secret"));
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

INSTANTIATE_TEST_SUITE_P(Everywhere, TlsTest, ::testing::ValuesIn(kTestedTransports),
                         TransportName);

}  // namespace
}  // namespace grpc_cxl::e2e
