// SPDX-License-Identifier: Apache-2.0

// Which path a unary call takes where direct calls are on, and that a call that takes the
// stream path instead notices nothing of it.

#include <gmock/gmock.h>
#include <google/protobuf/dynamic_message.h>
#include <grpc/grpc.h>
#include <grpc/support/alloc.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/blocks/block_pool.h"
#include "grpc_cxl/direct/sync_caller_hint.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/options.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/echo_call.h"
#include "test/e2e/parity.h"
#include "test/support/eventually.h"

namespace grpc_cxl::e2e {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kUnary[] = "/grpc_cxl.e2e.Echo/Unary";
constexpr size_t kThreshold = internal::kBlockThreshold;  // larger messages are in blocks

class DirectPathTest : public ::testing::Test {
 protected:
  void ExpectEchoed(size_t payload_bytes, ClientApi api = ClientApi::kSync) {
    ClientCall call = CallOfSize(payload_bytes);
    call.api = api;
    const Outcome outcome = pair_->Run(call);
    ASSERT_TRUE(outcome.status.ok()) << outcome;
    EXPECT_EQ(outcome.responses[0].payload(), call.requests[0].payload());
  }
  // With the connection everything lent is let go.
  void TearDown() override {
    pair_.reset();
    ExpectNothingLent();
  }

  std::unique_ptr<EchoPair> pair_ = std::make_unique<EchoPair>(TransportKind::kCxlDirect);
};

TEST_F(DirectPathTest, UnaryCallsOfGeneratedStubsAreDirect) {
  const Paths paths;
  ExpectEchoed(64);
  ExpectEchoed(64, ClientApi::kCallback);
  EXPECT_EQ(paths.direct(), 2u);
  EXPECT_EQ(paths(&DirectCallStats::not_taken), 0u);
  ExpectEchoed(64, ClientApi::kCompletionQueue);
  EXPECT_EQ(paths.direct(), 2u);
  EXPECT_EQ(paths(&DirectCallStats::not_eligible), 1u);
}

// Whether a message lies in its call buffer or in a block, and where one becomes the other.
TEST_F(DirectPathTest, MessagesOfAnySizeAreDirect) {
  const Paths paths;
  uint64_t calls = 0;
  for (const size_t edge : {ServerOptions().call_buffer_bytes, kThreshold, 4 * kThreshold}) {
    for (size_t bytes = edge - 150; bytes < edge + 10; ++bytes, ++calls) ExpectEchoed(bytes);
  }
  for (const size_t bytes : {100'000, 1'000'000, 2'000'000}) {
    ExpectEchoed(bytes);
    ExpectEchoed(bytes, ClientApi::kCallback);
    calls += 2;
  }
  EXPECT_EQ(paths.direct(), calls);
}

// What gRPC's channelz says of direct calls, here and in docs/direct_calls.md.
TEST_F(DirectPathTest, ChannelzSeesTheServersCallsEndAndTheClientsNot) {
  const auto newest = [](char* text) {
    const std::string all = text;
    gpr_free(text);
    return all.substr(std::min(all.rfind("\"callsFailed\""), all.size()));
  };
  for (int i = 0; i < 3; ++i) ExpectEchoed(64);
  EXPECT_THAT(newest(grpc_channelz_get_top_channels(0)),
              AllOf(HasSubstr("\"callsStarted\":\"3\""), HasSubstr("\"callsSucceeded\":\"0\"")));
  EXPECT_TRUE(internal::Eventually([&] {
    return absl::StrContains(newest(grpc_channelz_get_servers(0)),
                             "\"callsStarted\":\"3\",\"callsSucceeded\":\"3\"");
  }));
}

TEST_F(DirectPathTest, OneMayBeLargeAndTheOtherSmall) {
  const Paths paths;
  for (const auto& [there, back] :
       {std::pair(10, 4000), std::pair(10, 5000), std::pair(10, 100'000), std::pair(10, 3'000'000),
        std::pair(3'000'000, 1)}) {
    ClientCall call = CallOfSize(there);
    call.requests[0].mutable_script()->set_response_bytes(back);
    const Outcome outcome = pair_->Run(call);
    ASSERT_TRUE(outcome.status.ok()) << outcome;
    EXPECT_EQ(outcome.responses[0].payload(), Pattern(back));
  }
  EXPECT_EQ(paths.direct(), 5u);
}

// A thread that has made synchronous calls of a method is believed to wait for its next one as
// well. Starting a call in the callback API must not wait for it each time all the same: 30 calls
// whose handlers wait at the gate would take 30 times kPatienceNs, and one alone does.
TEST_F(DirectPathTest, ACallbackCallerIsNotKeptWaitingForWhatItDidBefore) {
  constexpr int kCalls = 30;
  struct Call {
    grpc::ClientContext context;
    EchoResponse response;
  };
  for (int i = 0; i < 3; ++i) ExpectEchoed(64);
  const EchoRequest request = CallThatWaitsAtGate().requests[0];
  std::vector<Call> calls(kCalls);
  absl::BlockingCounter running(kCalls);
  const Paths paths;
  const absl::Time start = absl::Now();
  for (Call& call : calls) {
    pair_->stub->async()->Unary(&call.context, &request, &call.response,
                                [&](const grpc::Status& status) {
                                  EXPECT_TRUE(status.ok()) << status.error_message();
                                  running.DecrementCount();
                                });
  }
  EXPECT_LT(absl::Now() - start, kCalls * absl::Nanoseconds(internal::kPatienceNs) / 2);
  // A call may be at the gate before its caller has counted it.
  EXPECT_TRUE(
      internal::Eventually([&] { return paths.direct() == static_cast<uint64_t>(kCalls); }));
  pair_->control().OpenGate();
  running.Wait();
}

// The response comes when nobody waits for it any more: its block goes back.
TEST_F(DirectPathTest, BlocksOfLateResponsesGoBack) {
  ClientCall call = CallThatWaitsAtGate();
  call.requests[0].set_payload(Pattern(100'000));
  call.prepare = WithDeadline(absl::Milliseconds(50));
  const Paths paths;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(pair_->Run(call).status.error_code(), grpc::DEADLINE_EXCEEDED);
  }
  EXPECT_EQ(paths.direct(), 3u);
  pair_->control().OpenGate();
  // The area has space for forty: each of these finds a block.
  for (int i = 0; i < 100; ++i) ExpectEchoed(100'000);
  EXPECT_EQ(paths.direct(), 103u);
}

// (With too few blocks for many calls at once: payload_test.)
TEST_F(DirectPathTest, WithoutBlocksLargeMessagesTakeTheStreamPath) {
  pair_ = std::make_unique<EchoPair>(TransportKind::kCxlDirect,
                                     ServerSettings{.options = WithSizes(512 << 10, 0)});
  const Paths paths;
  ExpectEchoed(1000);
  ExpectEchoed(100'000);
  EXPECT_EQ(paths.direct(), 1u);
  EXPECT_EQ(paths(&DirectCallStats::too_large), 1u);
}

// The connection opens call areas as it needs them.
TEST_F(DirectPathTest, ManyCallsAtATimeAreDirect) {
  // Memory that is not coherent has one call area (docs/protocol.md, 8.1).
  const char* const coherence = getenv("GRPC_CXL_COHERENCE");
  const int kCalls = coherence != nullptr && coherence == absl::string_view("flush") ? 64 : 200;
  const Paths paths;
  std::vector<std::thread> callers;
  for (int i = 1; i <= kCalls; ++i) {
    callers.emplace_back([&] { EXPECT_TRUE(pair_->Run(CallThatWaitsAtGate()).status.ok()); });
    ASSERT_TRUE(pair_->control().AwaitAtGate(i));
  }
  // A call may be at the gate before its caller has counted it.
  EXPECT_TRUE(
      internal::Eventually([&] { return paths.direct() == static_cast<uint64_t>(kCalls); }));
  pair_->control().OpenGate();
  for (std::thread& caller : callers) caller.join();
}

TEST_F(DirectPathTest, CallsBeyondTheSlotsTakeTheStreamPath) {
  constexpr int kCalls = 70;
  ServerOptions one_area;
  one_area.call_buffer_bytes = 64 << 10;
  pair_ =
      std::make_unique<EchoPair>(TransportKind::kCxlDirect, ServerSettings{.options = one_area});
  const Paths paths;
  std::vector<std::thread> callers;
  for (int i = 0; i < kCalls; ++i) {
    callers.emplace_back([&] { EXPECT_TRUE(pair_->Run(CallThatWaitsAtGate()).status.ok()); });
  }
  EXPECT_TRUE(pair_->control().AwaitAtGate(kCalls));
  EXPECT_EQ(paths.direct(), 64u);
  EXPECT_EQ(paths(&DirectCallStats::no_slot), 6u);
  pair_->control().OpenGate();
  for (std::thread& caller : callers) caller.join();
  ExpectEchoed(64);
  EXPECT_EQ(paths.direct(), 65u);
}

TEST_F(DirectPathTest, WithoutAConnectionTheStreamPathMakesOne) {
  pair_->server.reset();
  pair_->server = EchoServer::Start(*pair_->transport);
  const auto stub = Echo::NewStub(MakeChannel(*pair_->transport, OwnConnection()));
  const Paths paths;
  EXPECT_TRUE(Perform(stub.get(), {}).status.ok());
  EXPECT_EQ(paths(&DirectCallStats::no_connection), 1u);
  EXPECT_TRUE(Perform(stub.get(), {}).status.ok());
  EXPECT_EQ(paths.direct(), 1u);
}

// The bytes that a generic stub sends are no message, whatever the method's name promises;
// nor are messages of no generated class taken for generated ones.
TEST_F(DirectPathTest, GenericStubsAreNotTakenForGeneratedOnes) {
  EchoRequest model;
  model.set_payload("generic");
  EchoResponse answer;
  const Paths paths;

  const grpc::Slice slice(model.SerializeAsString());
  const grpc::ByteBuffer bytes(&slice, 1);
  grpc::GenericStub generic(pair_->channel);
  for (int i = 0; i < 100; ++i) {
    grpc::ByteBuffer response;
    CallGenerically(generic, kUnary, &bytes, &response);
    grpc::ProtoBufferReader reader(&response);
    ASSERT_TRUE(answer.ParseFromZeroCopyStream(&reader));
    EXPECT_EQ(answer.payload(), "generic");
  }

  using google::protobuf::Message;
  google::protobuf::DynamicMessageFactory factory;
  const std::unique_ptr<Message> request(factory.GetPrototype(EchoRequest::descriptor())->New());
  const std::unique_ptr<Message> response(factory.GetPrototype(EchoResponse::descriptor())->New());
  ASSERT_TRUE(request->ParseFromString(model.SerializeAsString()));
  grpc::TemplatedGenericStub<Message, Message> dynamic(pair_->channel);
  CallGenerically(dynamic, kUnary, request.get(), response.get());
  ASSERT_TRUE(answer.ParseFromString(response->SerializeAsString()));
  EXPECT_EQ(answer.payload(), "generic");

  EXPECT_EQ(paths.direct(), 0u);
  EXPECT_EQ(paths(&DirectCallStats::not_eligible), 101u);
}

}  // namespace
}  // namespace grpc_cxl::e2e
