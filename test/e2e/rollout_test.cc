// SPDX-License-Identifier: Apache-2.0
// Two rollouts of one application on one host: both serve the same names and addresses at the same
// time, and no call crosses through shared memory.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "grpc_cxl/server_builder.h"
#include "test/e2e/network_address.h"

namespace grpc_cxl::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// Answers with the name of its rollout.
class RolloutServer final : private Echo::Service {
 public:
  RolloutServer(std::string rollout, ServerOptions options) : rollout_(std::move(rollout)) {
    options.rollout = rollout_;
    ServerBuilder builder;
    builder.AddListeningPort("cxl:///app/backend", ServerCredentials(options));
    builder.AddListeningPort("127.0.0.1:0", ServerCredentials(options), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    CHECK(server_ != nullptr);
  }
  ~RolloutServer() override { server_->Shutdown(std::chrono::system_clock::now()); }

  int port() const { return port_; }

 private:
  grpc::Status Unary(grpc::ServerContext* context, const EchoRequest*,
                     EchoResponse* response) override {
    // Of direct calls, peer() is "inproc".
    const bool memory = !absl::StartsWith(context->peer(), "ipv4:");
    response->set_payload(absl::StrCat(rollout_, memory ? " memory" : " network"));
    return grpc::Status::OK;
  }

  const std::string rollout_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

class RolloutTest : public ::testing::Test, protected NetworkHost {
 protected:
  std::shared_ptr<grpc::Channel> ChannelOf(const std::string& rollout,
                                           const std::string& target = "cxl:///app/backend") const {
    ChannelOptions options = channel_options();
    options.rollout = rollout;
    return grpc::CreateChannel(target, ChannelCredentials(options));
  }
};

TEST_F(RolloutTest, EachFindsItsOwn) {
  const RolloutServer blue("blue", server_options()), green("green", server_options()),
      none("", server_options());
  EXPECT_EQ(NetworkHost::Call(ChannelOf("blue")), "blue memory");
  EXPECT_EQ(NetworkHost::Call(ChannelOf("green")), "green memory");
  EXPECT_EQ(NetworkHost::Call(ChannelOf("")), " memory");
}

TEST_F(RolloutTest, AnAddressOfAnotherIsReachedOverTheNetwork) {
  const RolloutServer blue("blue", server_options());
  const std::string target = At("127.0.0.1", blue.port());
  EXPECT_EQ(NetworkHost::Call(ChannelOf("blue", target)), "blue memory");
  EXPECT_EQ(NetworkHost::Call(ChannelOf("green", target)), "blue network");
}

TEST_F(RolloutTest, AMismatchNamesBoth) {
  const RolloutServer blue("blue", server_options());
  const auto stub = Echo::NewStub(ChannelOf("green"));
  grpc::ClientContext context;
  EchoResponse response;
  const grpc::Status status = stub->Unary(&context, {}, &response);
  EXPECT_EQ(status.error_code(), grpc::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("(\"blue\"), ours is \"green\""));
}

// Frontends of both, under load; then the old backend goes.
TEST_F(RolloutTest, FromBlueToGreenUnderLoad) {
  auto blue = std::make_unique<RolloutServer>("blue", server_options());
  const RolloutServer green("green", server_options());
  std::atomic<bool> stop{false};
  std::atomic<int> calls{0};
  std::vector<std::thread> callers;
  for (const std::string rollout : {"green", "green", "blue", "blue"}) {
    callers.emplace_back([&, rollout, channel = ChannelOf(rollout)] {
      // A blue frontend makes 200 calls and ends.
      for (int i = 0; rollout == "green" ? !stop : i < 200; ++i, ++calls) {
        EXPECT_EQ(NetworkHost::Call(channel), rollout + " memory");
      }
    });
  }
  callers[2].join();
  callers[3].join();
  blue.reset();
  for (const int before = calls; calls < before + 200;) std::this_thread::yield();
  stop = true;
  callers[0].join();
  callers[1].join();
}

}  // namespace
}  // namespace grpc_cxl::e2e
