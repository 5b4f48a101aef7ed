// SPDX-License-Identifier: Apache-2.0

// Compression and message size limits, as on TCP: same code, same text.

#include <grpc/impl/channel_arg_names.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "test/e2e/calls_fixture.h"
#include "test/e2e/echo_call.h"

namespace grpc_cxl::e2e {
namespace {

void UseGzip(grpc::ClientContext* context) {
  context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
}

ClientCall CompressedCall(const std::string& payload) {
  ClientCall call{.prepare = UseGzip};
  call.requests[0].set_payload(payload);
  call.requests[0].mutable_script()->set_compress(true);
  return call;
}

struct Case {
  std::string name;
  grpc::StatusCode code;
  ClientCall call;
  std::function<void(grpc::ServerBuilder*)> server = nullptr;
  std::function<void(grpc::ChannelArguments*)> channel = nullptr;
};

std::vector<Case> Cases() {
  return {
      {"the server refuses a large request", grpc::RESOURCE_EXHAUSTED, CallOfSize(20'000),
       [](grpc::ServerBuilder* builder) { builder->SetMaxReceiveMessageSize(10'000); }},
      {"the server refuses to send a large response", grpc::RESOURCE_EXHAUSTED, CallOfSize(20'000),
       [](grpc::ServerBuilder* builder) { builder->SetMaxSendMessageSize(10'000); }},
      {"the client refuses a large response", grpc::RESOURCE_EXHAUSTED, CallOfSize(20'000), nullptr,
       [](grpc::ChannelArguments* arguments) { arguments->SetMaxReceiveMessageSize(10'000); }},
      {"the client refuses to send a large request", grpc::RESOURCE_EXHAUSTED, CallOfSize(20'000),
       nullptr,
       [](grpc::ChannelArguments* arguments) { arguments->SetMaxSendMessageSize(10'000); }},
      {"below the default limit of 4 MiB", grpc::OK, CallOfSize(4'000'000)},
      {"above the default limit of 4 MiB", grpc::RESOURCE_EXHAUSTED, CallOfSize(4 << 20)},
      {"large metadata is refused",
       grpc::RESOURCE_EXHAUSTED,
       {.prepare =
            [](grpc::ClientContext* context) {
              context->AddMetadata("too-large-bin", Pattern(60'000));
            }}},
      {"compressed both ways", grpc::OK, CompressedCall(std::string(1 << 20, 'x'))},
      // That a server without gzip refuses the call shows that it was compressed indeed.
      {"a server without gzip refuses it", grpc::UNIMPLEMENTED, CompressedCall(Pattern(100)),
       [](grpc::ServerBuilder* builder) {
         builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
       }},
  };
}

class LimitsTest : public EveryTransport {};

TEST_P(LimitsTest, AreThoseOfTcp) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.name);
    const auto run = [&c](TransportKind kind) {
      EchoPair pair(kind, {.configure = c.server}, {.configure = c.channel});
      const Outcome outcome = pair.Run(c.call);
      EXPECT_EQ(outcome.status.error_code(), c.code) << outcome;
      EXPECT_TRUE(pair.Run({}).status.ok()) << "the connection has not survived it";
      return Describe(outcome);
    };
    EXPECT_EQ(run(GetParam()), run(TransportKind::kTcp));
  }
}

INSTANTIATE_TEST_SUITE_P(Everywhere, LimitsTest, ::testing::ValuesIn(kTestedTransports),
                         ParamName());

}  // namespace
}  // namespace grpc_cxl::e2e
