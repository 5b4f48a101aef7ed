// Messages of every size that could be special (to a page, a ring, an HTTP/2 frame or a
// window) arrive whole, in both directions, of all kinds; also when the ring is far smaller
// than the message.

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "absl/crc/crc32c.h"
#include "absl/strings/str_cat.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/echo_call.h"

namespace grpc_cxl::e2e {
namespace {

const std::vector<size_t> kSizes = {0,     1,     8191,  8192,      8193,
                                    65535, 65536, 65537, (1 << 20), (1 << 20) + 1};

const ServerSettings kAnySize = {
    .configure = [](grpc::ServerBuilder* builder) { builder->SetMaxReceiveMessageSize(-1); }};

const ChannelSettings kAnySizeBack = {.configure = [](grpc::ChannelArguments* arguments) {
  arguments->SetMaxReceiveMessageSize(-1);
}};

// Several messages each way where the kind has several, no two of them alike.
ClientCall CallOfSizes(RpcKind kind, size_t request_bytes, size_t response_bytes, int messages) {
  const bool many = kind == RpcKind::kClientStream || kind == RpcKind::kBidi;
  ClientCall call{.kind = kind};
  call.requests.resize(many ? messages : 1);
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
  const bool one = call.kind == RpcKind::kUnary || call.kind == RpcKind::kClientStream;
  ASSERT_EQ(outcome.responses.size(), one ? 1u : script.response_count());
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

class MessageSizeTest : public ::testing::TestWithParam<std::tuple<TransportKind, RpcKind>> {
 protected:
  TransportKind transport() const { return std::get<0>(GetParam()); }
  RpcKind kind() const { return std::get<1>(GetParam()); }
};

TEST_P(MessageSizeTest, SmallAndLarge) {
  EchoPair pair(transport(), kAnySize, kAnySizeBack);
  for (const size_t there : kSizes) {
    for (const size_t back : {size_t{0}, size_t{1}, there}) {
      const ClientCall call = CallOfSizes(kind(), there, back, 3);
      ExpectWhole(call, pair.Run(call));
    }
    const ClientCall call = CallOfSizes(kind(), 1, there, 3);
    ExpectWhole(call, pair.Run(call));
  }
}

TEST_P(MessageSizeTest, FarLargerThanTheRing) {
  EchoPair pair(transport(), kAnySize, kAnySizeBack);
  constexpr size_t kHuge = 64 << 20;
  for (const auto& [there, back] : {std::pair(kHuge, size_t{1}), std::pair(size_t{1}, kHuge)}) {
    const ClientCall call = CallOfSizes(kind(), there, back, 2);
    ExpectWhole(call, pair.Run(call));
  }
}

INSTANTIATE_TEST_SUITE_P(Everywhere, MessageSizeTest,
                         ::testing::Combine(::testing::ValuesIn(kTestedTransports),
                                            ::testing::ValuesIn(kAllRpcKinds)),
                         [](const auto& info) {
                           return absl::StrCat(Name(std::get<0>(info.param)), "_",
                                               Name(std::get<1>(info.param)));
                         });

// The smallest ring there is: a page, less than one HTTP/2 frame.
class SmallestRingTest : public ::testing::TestWithParam<RpcKind> {};

TEST_P(SmallestRingTest, TakesMessagesOfAnySize) {
  ServerOptions options;
  options.ring_bytes = 4 << 10;
  const auto transport = Transport::Make(TransportKind::kCxl, options);
  const auto server = EchoServer::Start(*transport, kAnySize);
  ASSERT_NE(server, nullptr);
  const auto stub = Echo::NewStub(MakeChannel(*transport, kAnySizeBack));
  for (const size_t size : {size_t{1}, size_t{4095}, size_t{4096}, size_t{1} << 20}) {
    const ClientCall call = CallOfSizes(GetParam(), size, size, 3);
    ExpectWhole(call, Perform(stub.get(), call));
  }
}

INSTANTIATE_TEST_SUITE_P(Cxl, SmallestRingTest, ::testing::ValuesIn(kAllRpcKinds),
                         [](const auto& info) { return Name(info.param); });

}  // namespace
}  // namespace grpc_cxl::e2e
