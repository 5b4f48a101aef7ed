// SPDX-License-Identifier: Apache-2.0

// Many threads call at once, over one connection and over many, and each gets its own
// answer whole.

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "test/e2e/calls_fixture.h"
#include "test/e2e/echo_call.h"

namespace grpc_cxl::e2e {
namespace {

constexpr int kThreads = 32;
constexpr int kCallsEach = 40;

// Calls of every kind and API, of sizes from nothing to 64 KiB.
void CallManyTimes(Echo::Stub* stub, int thread) {
  std::minstd_rand random(thread);
  for (int i = 0; i < kCallsEach; ++i) {
    ClientCall call{.kind = kAllRpcKinds[random() % 4], .api = kAllClientApis[random() % 3]};
    call.requests.resize(ManyRequests(call.kind) ? 3 : 1);
    for (EchoRequest& request : call.requests) {
      request.mutable_script()->set_response_count(3);
      request.set_payload(Pattern(random() % (size_t{1} << random() % 17), random()));
    }
    const Outcome outcome = Perform(stub, call);
    ASSERT_TRUE(outcome.status.ok()) << outcome;
    ASSERT_EQ(outcome.responses.size(), ManyResponses(call.kind) ? 3u : 1u);
    for (size_t r = 0; r < outcome.responses.size(); ++r) {
      const size_t of = call.kind == RpcKind::kBidi ? r : call.requests.size() - 1;
      ASSERT_EQ(outcome.responses[r].payload(), call.requests[of].payload());
    }
  }
}

class ConcurrencyTest : public EveryTransportAnd<ServerApi> {
 protected:
  void CallFromManyThreads(bool own_connections) {
    EchoPair pair(transport(), {.api = other()});
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&pair, own_connections, i] {
        if (!own_connections) return CallManyTimes(pair.stub.get(), i);
        CallManyTimes(Echo::NewStub(MakeChannel(*pair.transport, OwnConnection())).get(), i);
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(pair.control().counts().started, kThreads * kCallsEach);
  }
};

TEST_P(ConcurrencyTest, OverOneConnection) { CallFromManyThreads(false); }
TEST_P(ConcurrencyTest, OverManyConnections) { CallFromManyThreads(true); }

INSTANTIATE_TEST_SUITE_P(Everywhere, ConcurrencyTest,
                         ::testing::Combine(::testing::ValuesIn(kMostTransports),
                                            ::testing::ValuesIn(kAllServerApis)),
                         ParamName());

}  // namespace
}  // namespace grpc_cxl::e2e
