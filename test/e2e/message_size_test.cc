// SPDX-License-Identifier: Apache-2.0

// Messages of every size that could be special (to a page, a ring, an HTTP/2 frame or a
// window) arrive whole, in both directions, of all kinds; also when the ring is far smaller
// than the message.

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/crc/crc32c.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/echo_call.h"

namespace grpc_cxl::e2e {
namespace {

const std::vector<size_t> kSizes = {0,     1,     8191,  8192,      8193,
                                    65535, 65536, 65537, (1 << 20), (1 << 20) + 1};

void TakeAnySize(grpc::ServerBuilder* builder) { builder->SetMaxReceiveMessageSize(-1); }

// Several messages each way where the kind has several, no two of them alike.
ClientCall CallOfSizes(RpcKind kind, size_t request_bytes, size_t response_bytes, int messages) {
  ClientCall call{.kind = kind};
  call.requests.resize(ManyRequests(kind) ? messages : 1);
  for (size_t i = 0; i < call.requests.size(); ++i) {
    call.requests[i].mutable_script()->set_response_bytes(response_bytes);
    call.requests[i].mutable_script()->set_response_count(messages);
    call.requests[i].set_payload(Pattern(request_bytes, i));
  }
  return call;
}

void ExpectWhole(const ClientCall& call, const Outcome& outcome) {
  ASSERT_TRUE(outcome.status.ok()) << outcome;
  const Script& script = call.requests[0].script();
  ASSERT_EQ(outcome.responses.size(), ManyResponses(call.kind) ? script.response_count() : 1u);
  absl::crc32c_t sent{0};
  uint32_t requests = 0;
  for (size_t i = 0; i < outcome.responses.size(); ++i) {
    const EchoResponse& response = outcome.responses[i];
    for (; requests < response.requests(); ++requests) {
      sent = absl::ExtendCrc32c(sent, call.requests[requests].payload());
    }
    EXPECT_EQ(response.checksum(), static_cast<uint32_t>(sent));
    const std::string expected = script.response_bytes() > 0
                                     ? Pattern(script.response_bytes(), i)
                                     : call.requests[requests - 1].payload();
    EXPECT_TRUE(response.payload() == expected) << "response " << i << " is not what was sent";
  }
  EXPECT_EQ(requests, call.requests.size());
}

class MessageSizeTest : public EveryTransportAnd<RpcKind> {
 protected:
  EchoPair pair_{transport(), {.configure = TakeAnySize}, AnySize()};
};

TEST_P(MessageSizeTest, SmallAndLarge) {
  for (const size_t size : kSizes) {
    for (const auto& [there, back] : {std::pair(size, size_t{0}), std::pair(size, size_t{1}),
                                      std::pair(size, size), std::pair(size_t{1}, size)}) {
      const ClientCall call = CallOfSizes(other(), there, back, 3);
      ExpectWhole(call, pair_.Run(call));
    }
  }
}

TEST_P(MessageSizeTest, FarLargerThanTheRing) {
  constexpr size_t kHuge = 64 << 20;
  for (const auto& [there, back] : {std::pair(kHuge, size_t{1}), std::pair(size_t{1}, kHuge)}) {
    const ClientCall call = CallOfSizes(other(), there, back, 2);
    ExpectWhole(call, pair_.Run(call));
  }
}

INSTANTIATE_TEST_SUITE_P(Everywhere, MessageSizeTest,
                         ::testing::Combine(::testing::ValuesIn(kMostTransports),
                                            ::testing::ValuesIn(kAllRpcKinds)),
                         ParamName());

// The smallest ring there is: a page, less than one HTTP/2 frame.
TEST(SmallestRingTest, TakesMessagesOfAnySize) {
  EchoPair pair(TransportKind::kCxl, {.options = WithSizes(4 << 10), .configure = TakeAnySize},
                AnySize());
  for (const RpcKind kind : kAllRpcKinds) {
    for (const size_t size : {size_t{1}, size_t{4095}, size_t{4096}, size_t{1} << 20}) {
      const ClientCall call = CallOfSizes(kind, size, size, 3);
      ExpectWhole(call, pair.Run(call));
    }
  }
}

}  // namespace
}  // namespace grpc_cxl::e2e
