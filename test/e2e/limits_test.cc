// Compression and message size limits, as on TCP: same code, same text.

#include <grpc/impl/channel_arg_names.h>
#include <gtest/gtest.h>

#include <string>

#include "test/e2e/calls_fixture.h"
#include "test/e2e/echo_call.h"

namespace grpc_cxl::e2e {
namespace {

class LimitsTest : public EveryTransport {
 protected:
  // What `call` comes to with these settings; expects the same on TCP.
  static Outcome SameAsOnTcp(const ClientCall& call, const ServerSettings& server,
                             const ChannelSettings& channel) {
    EchoPair pair(GetParam(), server, channel);
    const Outcome outcome = pair.Run(call);
    EchoPair reference(TransportKind::kTcp, server, channel);
    EXPECT_EQ(Describe(outcome), Describe(reference.Run(call)));
    // The connection has survived it.
    EXPECT_TRUE(pair.Run({}).status.ok());
    return outcome;
  }

  static ClientCall CallOfSize(size_t bytes) {
    ClientCall call;
    call.requests[0].set_payload(Pattern(bytes));
    return call;
  }
};

TEST_P(LimitsTest, ServerRefusesLargeRequest) {
  const ServerSettings server = {
      .configure = [](grpc::ServerBuilder* builder) { builder->SetMaxReceiveMessageSize(10'000); }};
  const Outcome outcome = SameAsOnTcp(CallOfSize(20'000), server, {});
  EXPECT_EQ(outcome.status.error_code(), grpc::RESOURCE_EXHAUSTED);
}

TEST_P(LimitsTest, ServerRefusesToSendLargeResponse) {
  const ServerSettings server = {
      .configure = [](grpc::ServerBuilder* builder) { builder->SetMaxSendMessageSize(10'000); }};
  const Outcome outcome = SameAsOnTcp(CallOfSize(20'000), server, {});
  EXPECT_EQ(outcome.status.error_code(), grpc::RESOURCE_EXHAUSTED);
}

TEST_P(LimitsTest, ClientRefusesLargeResponse) {
  const ChannelSettings channel = {.configure = [](grpc::ChannelArguments* arguments) {
    arguments->SetMaxReceiveMessageSize(10'000);
  }};
  const Outcome outcome = SameAsOnTcp(CallOfSize(20'000), {}, channel);
  EXPECT_EQ(outcome.status.error_code(), grpc::RESOURCE_EXHAUSTED);
}

TEST_P(LimitsTest, ClientRefusesToSendLargeRequest) {
  const ChannelSettings channel = {.configure = [](grpc::ChannelArguments* arguments) {
    arguments->SetMaxSendMessageSize(10'000);
  }};
  const Outcome outcome = SameAsOnTcp(CallOfSize(20'000), {}, channel);
  EXPECT_EQ(outcome.status.error_code(), grpc::RESOURCE_EXHAUSTED);
}

TEST_P(LimitsTest, DefaultLimitIsFourMebibytes) {
  EXPECT_TRUE(SameAsOnTcp(CallOfSize(4'000'000), {}, {}).status.ok());
  const Outcome outcome = SameAsOnTcp(CallOfSize(4 << 20), {}, {});
  EXPECT_EQ(outcome.status.error_code(), grpc::RESOURCE_EXHAUSTED);
}

TEST_P(LimitsTest, LargeMetadataIsRefused) {
  ClientCall call;
  call.prepare = [](grpc::ClientContext* context) {
    context->AddMetadata("too-large-bin", Pattern(60'000));
  };
  const Outcome outcome = SameAsOnTcp(call, {}, {});
  EXPECT_EQ(outcome.status.error_code(), grpc::RESOURCE_EXHAUSTED);
}

TEST_P(LimitsTest, CompressedBothWays) {
  ClientCall call = CallOfSize(0);
  call.requests[0].set_payload(std::string(1 << 20, 'x'));
  call.requests[0].mutable_script()->set_compress(true);
  call.prepare = [](grpc::ClientContext* context) {
    context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
  };
  EXPECT_TRUE(SameAsOnTcp(call, {}, {}).status.ok());
}

// That a server without gzip refuses the call shows that it was compressed indeed.
TEST_P(LimitsTest, ServerWithoutGzipRefusesIt) {
  ClientCall call = CallOfSize(100);
  call.prepare = [](grpc::ClientContext* context) {
    context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
  };
  const ServerSettings server = {.configure = [](grpc::ServerBuilder* builder) {
    builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  }};
  const Outcome outcome = SameAsOnTcp(call, server, {});
  EXPECT_EQ(outcome.status.error_code(), grpc::UNIMPLEMENTED);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, LimitsTest, ::testing::ValuesIn(kTestedTransports),
                         TransportName);

}  // namespace
}  // namespace grpc_cxl::e2e
