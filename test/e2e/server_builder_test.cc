// SPDX-License-Identifier: Apache-2.0

// What grpc_cxl::ServerBuilder does beyond gRPC's.

#include "grpc_cxl/server_builder.h"

#include <grpc/impl/channel_arg_names.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/event_engine/channel_target.h"
#include "grpc_cxl/payload_counters.h"
#include "test/e2e/network_address.h"

namespace grpc_cxl::e2e {
namespace {

// Answers with as many bytes as it gets.
class Mirror final : public Echo::Service {
  grpc::Status Unary(grpc::ServerContext*, const EchoRequest* request,
                     EchoResponse* response) override {
    response->set_payload(request->payload());
    return grpc::Status::OK;
  }
};

class CountingFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit CountingFactory(int* calls) : calls_(calls) {}
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo*) override {
    ++*calls_;
    return nullptr;
  }

 private:
  int* const calls_;
};

bool Echoes(const std::shared_ptr<grpc::Channel>& channel, size_t bytes) {
  const auto stub = Echo::NewStub(channel);
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  EchoRequest request;
  request.set_payload(std::string(bytes, 'x'));
  EchoResponse response;
  return stub->Unary(&context, request, &response).ok() && response.payload() == request.payload();
}

TEST(ServerBuilderTest, EnablesDirectCallsAndPlacesMessagesBesideOwnInterceptors) {
  const NetworkHost host;
  for (const bool direct : {true, false}) {
    ServerOptions options = host.server_options();
    options.direct_calls = direct;
    int port = 0, intercepted = 0;
    Mirror service;
    ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", ServerCredentials(options), &port);
    builder.RegisterService(&service);
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> own;
    own.push_back(std::make_unique<CountingFactory>(&intercepted));
    builder.experimental().SetInterceptorCreators(std::move(own));
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    ASSERT_NE(server, nullptr);
    const auto channel = host.Channel(At("127.0.0.1", port));
    ASSERT_TRUE(
        channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(20)));
    const uint64_t before = GetDirectCallStats().direct;
    const uint64_t in_place = GetPayloadCounters().sent_in_place;
    EXPECT_TRUE(Echoes(channel, 1 << 20));
    EXPECT_EQ(GetDirectCallStats().direct - before, direct ? 1u : 0u);
    if (!direct) {
      EXPECT_GE(GetPayloadCounters().sent_in_place - in_place, 2u << 20);
    }
    EXPECT_EQ(intercepted, 1);
    Shutdown(*server);
  }
}

class Exposed : public ServerBuilder {
 public:
  bool Probes(const std::string& address) {
    if (!address.empty()) AddListeningPort(address, ServerCredentials());
    return !internal::HasArgument(BuildChannelArgs().c_channel_args(), GRPC_ARG_HTTP2_BDP_PROBE);
  }
};

TEST(ServerBuilderTest, ArgumentsSuitMemoryWhereThereIsNothingElse) {
  Exposed builder;
  EXPECT_TRUE(builder.Probes(""));
  EXPECT_FALSE(builder.Probes("cxl:///payments"));
  EXPECT_TRUE(builder.Probes("0.0.0.0:0"));
}

}  // namespace
}  // namespace grpc_cxl::e2e
