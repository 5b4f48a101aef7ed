// Which path a unary call takes where direct calls are on, and that a call that takes the
// stream path instead notices nothing of it.

#include <google/protobuf/dynamic_message.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/blocks/block_pool.h"
#include "grpc_cxl/direct/sync_caller_hint.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/options.h"
#include "grpc_cxl/payload_counters.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/echo_call.h"

namespace grpc_cxl::e2e {
namespace {

constexpr char kUnary[] = "/grpc_cxl.e2e.Echo/Unary";

// How many calls took each path since it was made.
class Paths {
 public:
  DirectCallStats Taken() const {
    const DirectCallStats now = GetDirectCallStats();
    return {now.direct - before_.direct,
            now.not_taken - before_.not_taken,
            now.no_connection - before_.no_connection,
            now.not_eligible - before_.not_eligible,
            now.too_large - before_.too_large,
            now.no_slot - before_.no_slot};
  }

 private:
  const DirectCallStats before_ = GetDirectCallStats();
};

// From this size on messages are in blocks.
constexpr size_t kThreshold = internal::kBlockThreshold;

void ExpectNothingLent() {
  PayloadCounters counters;
  for (int i = 0; i < 20'000; ++i) {
    counters = GetPayloadCounters();
    if (counters.loans_out == 0 && counters.loans_held == 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ADD_FAILURE() << counters.loans_out << " loans out, " << counters.loans_held << " held";
}

class DirectPathTest : public ::testing::Test {
 protected:
  ClientCall CallWith(size_t payload_bytes, ClientApi api = ClientApi::kSync) {
    ClientCall call{.api = api};
    call.requests[0].set_payload(Pattern(payload_bytes));
    return call;
  }
  void ExpectEchoed(const ClientCall& call) {
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
  ExpectEchoed(CallWith(64));
  ExpectEchoed(CallWith(64, ClientApi::kCallback));
  EXPECT_EQ(paths.Taken().direct, 2u);
  EXPECT_EQ(paths.Taken().not_taken, 0u);
}

TEST_F(DirectPathTest, CompletionQueuesAreNotEligible) {
  const Paths paths;
  ExpectEchoed(CallWith(64, ClientApi::kCompletionQueue));
  EXPECT_EQ(paths.Taken().direct, 0u);
  EXPECT_EQ(paths.Taken().not_eligible, 1u);
}

// Whether a message lies in its call buffer or in a block, and where one becomes the other.
TEST_F(DirectPathTest, MessagesOfAnySizeAreDirect) {
  const Paths paths;
  uint64_t calls = 0;
  for (const size_t edge : {ServerOptions().call_buffer_bytes, kThreshold, 4 * kThreshold}) {
    for (size_t bytes = edge - 150; bytes < edge + 10; ++bytes, ++calls) {
      ExpectEchoed(CallWith(bytes));
    }
  }
  for (const size_t bytes : {100'000, 1'000'000, 2'000'000}) {
    ExpectEchoed(CallWith(bytes));
    ExpectEchoed(CallWith(bytes, ClientApi::kCallback));
    calls += 2;
  }
  EXPECT_EQ(paths.Taken().direct, calls);
}

TEST_F(DirectPathTest, OneMayBeLargeAndTheOtherSmall) {
  const Paths paths;
  ClientCall call = CallWith(10);
  for (const uint64_t bytes : {4000, 5000, 100'000, 3'000'000}) {
    call.requests[0].mutable_script()->set_response_bytes(bytes);
    const Outcome outcome = pair_->Run(call);
    ASSERT_TRUE(outcome.status.ok()) << outcome;
    EXPECT_EQ(outcome.responses[0].payload(), Pattern(bytes));
  }
  call = CallWith(3'000'000);
  call.requests[0].mutable_script()->set_response_bytes(1);
  EXPECT_TRUE(pair_->Run(call).status.ok());
  EXPECT_EQ(paths.Taken().direct, 5u);
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
  for (int i = 0; i < 3; ++i) ExpectEchoed(CallWith(64));
  EchoRequest request;
  request.mutable_script()->set_wait_at_gate(true);
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
  EXPECT_EQ(paths.Taken().direct, static_cast<uint64_t>(kCalls));
  pair_->control().OpenGate();
  running.Wait();
}

// The response comes when nobody waits for it any more: its block goes back.
TEST_F(DirectPathTest, BlocksOfLateResponsesGoBack) {
  ClientCall call = CallWith(100'000);
  call.requests[0].mutable_script()->set_wait_at_gate(true);
  call.prepare = [](grpc::ClientContext* context) {
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(50));
  };
  const Paths paths;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(pair_->Run(call).status.error_code(), grpc::DEADLINE_EXCEEDED);
  }
  EXPECT_EQ(paths.Taken().direct, 3u);
  pair_->control().OpenGate();
  // The area has room for forty: each of these finds a block.
  for (int i = 0; i < 100; ++i) ExpectEchoed(CallWith(100'000));
  EXPECT_EQ(paths.Taken().direct, 103u);
}

// One connection with hardly any blocks: whatever finds none takes the stream path.
TEST(DirectRoadsWithFewBlocksTest, WantOfBlocksIsNoError) {
  for (const size_t payload_bytes : {size_t{0}, size_t{64} << 10}) {
    ServerOptions options;
    options.payload_bytes = payload_bytes;
    const auto transport = Transport::Make(TransportKind::kCxlDirect, options);
    const auto server = EchoServer::Start(*transport);
    const auto channel = MakeChannel(*transport);
    ASSERT_TRUE(
        channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10)));
    const auto stub = Echo::NewStub(channel);
    const Paths paths;
    std::vector<std::thread> callers;
    for (int thread = 0; thread < 4; ++thread) {
      callers.emplace_back([&, thread] {
        for (int i = 0; i < 50; ++i) {
          ClientCall call;
          call.requests[0].set_payload(Pattern(1000 * (thread + 1) * (i % 20)));
          const Outcome outcome = Perform(stub.get(), call);
          ASSERT_TRUE(outcome.status.ok()) << outcome;
          EXPECT_EQ(outcome.responses[0].payload(), call.requests[0].payload());
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
    EXPECT_GT(paths.Taken().direct, 0u);
    EXPECT_GT(paths.Taken().too_large, 0u);
  }
  ExpectNothingLent();  // with the connections
}

TEST_F(DirectPathTest, CallsBeyondTheSlotsTakeTheStreamRoad) {
  constexpr int kCalls = 70;
  const Paths paths;
  std::vector<std::thread> callers;
  for (int i = 0; i < kCalls; ++i) {
    callers.emplace_back([&] {
      ClientCall call = CallWith(64);
      call.requests[0].mutable_script()->set_wait_at_gate(true);
      ExpectEchoed(call);
    });
  }
  EXPECT_TRUE(pair_->control().Await([](const auto& counts) { return counts.at_gate == kCalls; }));
  EXPECT_EQ(paths.Taken().direct, 64u);
  EXPECT_EQ(paths.Taken().no_slot, 6u);
  pair_->control().OpenGate();
  for (std::thread& caller : callers) caller.join();
  ExpectEchoed(CallWith(64));
  EXPECT_EQ(paths.Taken().direct, 65u);
}

TEST_F(DirectPathTest, WithoutAConnectionTheStreamRoadMakesOne) {
  const auto channel =
      MakeChannel(*pair_->transport,
                  {.configure = [](auto* arguments) { arguments->SetInt("other_channel", 1); }});
  pair_->server.reset();
  pair_->server = EchoServer::Start(*pair_->transport);
  const Paths paths;
  const auto stub = Echo::NewStub(channel);
  EXPECT_TRUE(Perform(stub.get(), CallWith(64)).status.ok());
  EXPECT_EQ(paths.Taken().no_connection, 1u);
  EXPECT_TRUE(Perform(stub.get(), CallWith(64)).status.ok());
  EXPECT_EQ(paths.Taken().direct, 1u);
}

// The bytes that a generic stub sends are no message, whatever the method's name promises.
TEST_F(DirectPathTest, GenericStubsAreNotTakenForGeneratedOnes) {
  EchoRequest request;
  request.set_payload("generic");
  const grpc::Slice slice(request.SerializeAsString());
  const grpc::ByteBuffer bytes(&slice, 1);
  const Paths paths;
  grpc::GenericStub stub(pair_->channel);
  for (int i = 0; i < 100; ++i) {
    grpc::ByteBuffer response_bytes;
    grpc::ClientContext context;
    grpc::Status status;
    absl::Notification done;
    stub.UnaryCall(&context, kUnary, {}, &bytes, &response_bytes, [&](grpc::Status s) {
      status = std::move(s);
      done.Notify();
    });
    done.WaitForNotification();
    ASSERT_TRUE(status.ok()) << status.error_message();
    EchoResponse response;
    grpc::ProtoBufferReader reader(&response_bytes);
    ASSERT_TRUE(response.ParseFromZeroCopyStream(&reader));
    EXPECT_EQ(response.payload(), "generic");
  }
  EXPECT_EQ(paths.Taken().direct, 0u);
  EXPECT_EQ(paths.Taken().not_eligible, 100u);
}

// Messages, but of no generated class.
TEST_F(DirectPathTest, DynamicMessagesAreNotTakenForGeneratedOnes) {
  using google::protobuf::Message;
  google::protobuf::DynamicMessageFactory factory;
  const std::unique_ptr<Message> request(factory.GetPrototype(EchoRequest::descriptor())->New());
  const std::unique_ptr<Message> response(factory.GetPrototype(EchoResponse::descriptor())->New());
  EchoRequest model;
  model.set_payload("dynamic");
  ASSERT_TRUE(request->ParseFromString(model.SerializeAsString()));
  const Paths paths;
  grpc::TemplatedGenericStub<Message, Message> stub(pair_->channel);
  grpc::ClientContext context;
  grpc::Status status;
  absl::Notification done;
  stub.UnaryCall(&context, kUnary, {}, request.get(), response.get(), [&](grpc::Status s) {
    status = std::move(s);
    done.Notify();
  });
  done.WaitForNotification();
  ASSERT_TRUE(status.ok()) << status.error_message();
  EchoResponse answer;
  ASSERT_TRUE(answer.ParseFromString(response->SerializeAsString()));
  EXPECT_EQ(answer.payload(), "dynamic");
  EXPECT_EQ(paths.Taken().direct, 0u);
  EXPECT_EQ(paths.Taken().not_eligible, 1u);
}

}  // namespace
}  // namespace grpc_cxl::e2e
