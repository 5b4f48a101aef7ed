// Many threads call at once, over one connection and over many, and each gets its own
// answer whole.

#include <grpc/impl/channel_arg_names.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/echo_call.h"

namespace grpc_cxl::e2e {
namespace {

constexpr int kThreads = 32;
constexpr int kCallsEach = 40;

class ConcurrencyTest : public ::testing::TestWithParam<std::tuple<TransportKind, ServerApi>> {
 protected:
  TransportKind transport() const { return std::get<0>(GetParam()); }
  ServerSettings Server() const { return {.api = std::get<1>(GetParam())}; }
};

// Calls of every kind and API, of sizes from nothing to 64 KiB.
void CallManyTimes(Echo::Stub* stub, int thread) {
  std::minstd_rand random(thread);
  for (int i = 0; i < kCallsEach; ++i) {
    ClientCall call{.kind = kAllRpcKinds[random() % 4], .api = kAllClientApis[random() % 3]};
    const bool many = call.kind == RpcKind::kClientStream || call.kind == RpcKind::kBidi;
    call.requests.resize(many ? 3 : 1);
    for (EchoRequest& request : call.requests) {
      request.mutable_script()->set_response_count(3);
      request.set_payload(Pattern(random() % (size_t{1} << random() % 17), random()));
    }
    const Outcome outcome = Perform(stub, call);
    ASSERT_TRUE(outcome.status.ok()) << outcome;
    const bool one = call.kind == RpcKind::kUnary || call.kind == RpcKind::kClientStream;
    ASSERT_EQ(outcome.responses.size(), one ? 1u : 3u);
    for (size_t r = 0; r < outcome.responses.size(); ++r) {
      const size_t of = call.kind == RpcKind::kBidi ? r : call.requests.size() - 1;
      ASSERT_EQ(outcome.responses[r].payload(), call.requests[of].payload());
    }
  }
}

TEST_P(ConcurrencyTest, OverOneConnection) {
  EchoPair pair(transport(), Server());
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&pair, i] { CallManyTimes(pair.stub.get(), i); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pair.control().counts().started, kThreads * kCallsEach);
}

TEST_P(ConcurrencyTest, OverManyConnections) {
  EchoPair pair(transport(), Server());
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&pair, i] {
      const auto channel =
          MakeChannel(*pair.transport, {.configure = [](grpc::ChannelArguments* arguments) {
            arguments->SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
          }});
      CallManyTimes(Echo::NewStub(channel).get(), i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pair.control().counts().started, kThreads * kCallsEach);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, ConcurrencyTest,
                         ::testing::Combine(::testing::ValuesIn(kTestedTransports),
                                            ::testing::ValuesIn(kAllServerApis)),
                         [](const auto& info) {
                           return absl::StrCat(Name(std::get<0>(info.param)), "_",
                                               Name(std::get<1>(info.param)), "_server");
                         });

}  // namespace
}  // namespace grpc_cxl::e2e
