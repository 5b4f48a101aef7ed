// SPDX-License-Identifier: Apache-2.0

// Limits of metadata and of concurrency, each end's own, and of the life of connections.

#include <grpc/impl/channel_arg_names.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "test/e2e/parity.h"

namespace grpc_cxl::e2e {
namespace {

using ParityLimitsTest = Parity;

struct MetadataCase {
  std::string name;
  grpc::StatusCode code;
  std::string key;  // "initial-..." and "trailing-..." come back
  size_t bytes;
  std::function<void(grpc::ServerBuilder*)> server = nullptr;
  std::function<void(grpc::ChannelArguments*)> channel = nullptr;
};

std::vector<MetadataCase> MetadataCases() {
  const auto server_takes = [](int bytes) {
    return [bytes](grpc::ServerBuilder* builder) {
      builder->AddChannelArgument(GRPC_ARG_ABSOLUTE_MAX_METADATA_SIZE, bytes);
      builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, bytes);
    };
  };
  const auto client_takes = [](int bytes) {
    return [bytes](grpc::ChannelArguments* arguments) {
      arguments->SetInt(GRPC_ARG_ABSOLUTE_MAX_METADATA_SIZE, bytes);
      arguments->SetInt(GRPC_ARG_MAX_METADATA_SIZE, bytes);
    };
  };
  return {
      {"request, a little", grpc::OK, "key", 3'000},
      {"request, too much", grpc::RESOURCE_EXHAUSTED, "key", 70'000},
      {"request, more than a small limit", grpc::RESOURCE_EXHAUSTED, "key", 3'000,
       server_takes(2'000)},
      {"request, less than a large limit", grpc::OK, "key", 70'000, server_takes(100'000)},
      {"initial, too much", grpc::RESOURCE_EXHAUSTED, "initial-key", 70'000, server_takes(100'000)},
      {"trailing, too much", grpc::RESOURCE_EXHAUSTED, "trailing-key", 70'000,
       server_takes(100'000)},
      {"initial, more than a small limit", grpc::RESOURCE_EXHAUSTED, "initial-key", 3'000, nullptr,
       client_takes(2'000)},
      {"trailing, more than a small limit", grpc::RESOURCE_EXHAUSTED, "trailing-key", 3'000,
       nullptr, client_takes(2'000)},
      {"trailing, less than a large limit", grpc::OK, "trailing-key", 70'000, server_takes(100'000),
       client_takes(100'000)},
  };
}

TEST_P(ParityLimitsTest, Metadata) {
  for (const MetadataCase& c : MetadataCases()) {
    SCOPED_TRACE(c.name);
    for (const TransportKind kind : {TransportKind::kTcp, GetParam()}) {
      ServerOptions options;
      options.call_buffer_bytes = 128 << 10;  // so that large requests are direct
      EchoPair pair(kind, {.options = options, .configure = c.server}, {.configure = c.channel});
      ClientCall call{.prepare = [&c](grpc::ClientContext* context) {
        context->AddMetadata(c.key, std::string(c.bytes, 'x'));
      }};
      const Outcome outcome = pair.Run(call);
      EXPECT_EQ(outcome.status.error_code(), c.code) << outcome;
      EXPECT_TRUE(pair.Run({}).status.ok()) << "the connection has not survived it";
    }
  }
}

// The request's message lies in a block that the server does not read; the blocks hold some forty.
TEST_P(ParityLimitsTest, CallsThatAreRefusedKeepNoBlock) {
  EchoPair pair(GetParam(), {.configure = [](grpc::ServerBuilder* builder) {
                  builder->AddChannelArgument(GRPC_ARG_ABSOLUTE_MAX_METADATA_SIZE, 2'000);
                  builder->AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 2'000);
                }});
  ClientCall call{.prepare = [](grpc::ClientContext* context) {
    context->AddMetadata("key", std::string(3'000, 'x'));
  }};
  call.requests[0].set_payload(std::string(100'000, 'x'));
  const Paths paths;
  const int calls = GetParam() == TransportKind::kCxlDirect ? 60 : 2;
  for (int i = 0; i < calls; ++i) {
    ASSERT_EQ(pair.Run(call).status.error_code(), grpc::RESOURCE_EXHAUSTED);
  }
  EXPECT_EQ(paths.direct(), GetParam() == TransportKind::kCxlDirect ? calls : 0u);
}

TEST_P(ParityLimitsTest, ConcurrentStreams) {
  EchoPair pair(GetParam(), {.configure = [](grpc::ServerBuilder* builder) {
                  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 2);
                }});
  std::vector<std::thread> callers;
  for (int i = 0; i < 10; ++i) {
    callers.emplace_back([&] {
      const grpc::Status status = pair.Run(CallThatWaitsAtGate()).status;
      // Over tcp, too, a server refuses a stream now and then that comes while another ends.
      EXPECT_TRUE(status.ok() || status.error_code() == grpc::UNAVAILABLE)
          << status.error_message();
    });
  }
  EXPECT_TRUE(pair.control().AwaitAtGate(2));
  absl::SleepFor(absl::Milliseconds(50));
  EXPECT_EQ(pair.control().counts().at_gate, 2);
  pair.control().OpenGate();
  for (std::thread& caller : callers) caller.join();
}

TEST_P(ParityLimitsTest, AConnectionInUseIsNotIdle) {
  EchoPair pair(GetParam(), {.configure = [](grpc::ServerBuilder* builder) {
                  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, 300);
                }});
  Connect(*pair.channel);
  std::atomic<bool> done{false};
  std::thread caller([&] {
    while (!done) EXPECT_TRUE(pair.Run({}).status.ok());
  });
  EXPECT_FALSE(pair.channel->WaitForStateChange(
      GRPC_CHANNEL_READY, absl::ToChronoTime(absl::Now() + absl::Seconds(1))));
  done = true;
  caller.join();
}

TEST_P(ParityLimitsTest, CallsEndWithTheGraceOfTheirConnection) {
  EchoPair pair(GetParam(), {.configure = [](grpc::ServerBuilder* builder) {
                  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, 100);
                  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, 100);
                }});
  ClientCall call = CallThatWaitsAtGate();
  call.prepare = WithDeadline(absl::Seconds(10));
  EXPECT_EQ(pair.Run(call).status.error_code(), grpc::UNAVAILABLE);
}

GRPC_CXL_PARITY_SUITE(ParityLimitsTest);

}  // namespace
}  // namespace grpc_cxl::e2e
