// SPDX-License-Identifier: Apache-2.0

// Handlers that do what handlers should not: sleep on gRPC's thread, call back into their own
// server and wait for it, throw. Other calls go on, on every transport.

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/lambda_server.h"

namespace grpc_cxl::e2e {
namespace {

class HandlersTest : public EveryTransport {};

TEST_P(HandlersTest, OneThatSleepsDelaysOthersLittle) {
  const absl::Duration nap = absl::Seconds(2);
  HandlerPair pair(GetParam(), [&](auto*, const EchoRequest& request, auto*) {
    if (request.payload() == "sleep") absl::SleepFor(nap);
    return grpc::Status::OK;
  });
  ASSERT_TRUE(pair.Call("warm up").status.ok());
  std::thread sleeper([&] { EXPECT_TRUE(pair.Call("sleep").status.ok()); });
  absl::Duration longest;
  const absl::Time end = absl::Now() + nap / 2;
  for (absl::Time start = absl::Now(); start < end; start = absl::Now()) {
    ASSERT_TRUE(pair.Call("quick").status.ok());
    longest = std::max(longest, absl::Now() - start);
  }
  sleeper.join();
  std::cout << "the longest of the others took " << longest << std::endl;
  EXPECT_LT(longest, absl::Seconds(1));  // not the nap; measured: a few ms
}

TEST_P(HandlersTest, OneThatCallsItsOwnServerAndWaitsIsServed) {
  HandlerPair* self = nullptr;
  HandlerPair pair(GetParam(), [&](auto*, const EchoRequest& request, EchoResponse* response) {
    if (request.payload().size() == 1) return grpc::Status::OK;
    const Outcome inner = self->Call(request.payload().substr(1));
    if (inner.status.ok()) response->set_requests(inner.responses[0].requests() + 1);
    return inner.status;
  });
  self = &pair;
  ASSERT_TRUE(pair.Call("1").status.ok());
  const Outcome outcome = pair.Call("4321");  // three calls wait in each other
  ASSERT_TRUE(outcome.status.ok()) << outcome;
  EXPECT_EQ(outcome.responses[0].requests(), 3u);
}

TEST_P(HandlersTest, OneThatThrowsEndsItsCallOnly) {
  const auto outcome_of_throw = [](TransportKind kind) {
    HandlerPair pair(kind, [](auto*, const EchoRequest& request, auto*) {
      if (request.payload() == "throw") throw std::runtime_error("thrown by the test");
      return grpc::Status::OK;
    });
    const Outcome outcome = pair.Call("throw");
    EXPECT_FALSE(outcome.status.ok());
    EXPECT_TRUE(pair.Call("").status.ok());
    return Describe(outcome);
  };
  EXPECT_EQ(outcome_of_throw(GetParam()), outcome_of_throw(TransportKind::kTcp));
}

INSTANTIATE_TEST_SUITE_P(Everywhere, HandlersTest, ::testing::ValuesIn(kTestedTransports),
                         ParamName());
INSTANTIATE_TEST_SUITE_P(Inline, HandlersTest, ::testing::Values(TransportKind::kCxlInline),
                         ParamName());

}  // namespace
}  // namespace grpc_cxl::e2e
