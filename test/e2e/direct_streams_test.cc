// SPDX-License-Identifier: Apache-2.0

// Which streams pass through memory where the option is on, and what only these can do wrong.

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/options.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/echo_call.h"

namespace grpc_cxl::e2e {
namespace {

constexpr char kBidi[] = "/grpc_cxl.e2e.Echo/Bidi";

class DirectStreamsTest : public ::testing::Test {
 protected:
  void TearDown() override {
    pair_.reset();
    ExpectNothingLent();
  }
  uint64_t streams() const { return since_(&DirectCallStats::direct_streams); }

  // One message each way on an open stream.
  static void ExpectEchoed(grpc::ClientReaderWriter<EchoRequest, EchoResponse>& stream,
                           size_t bytes) {
    EchoRequest request;
    request.set_payload(Pattern(bytes));
    ASSERT_TRUE(stream.Write(request));
    EchoResponse response;
    ASSERT_TRUE(stream.Read(&response));
    EXPECT_TRUE(response.payload() == request.payload()) << bytes;
  }

  std::unique_ptr<EchoPair> pair_ =
      std::make_unique<EchoPair>(TransportKind::kCxlDirect, ServerSettings{}, AnySize());
  const Since<DirectCallStats> since_{GetDirectCallStats};
};

TEST_F(DirectStreamsTest, ThoseOfGeneratedStubsAreDirect) {
  uint64_t calls = 0;
  for (const RpcKind kind : kAllRpcKinds) {
    for (const ClientApi api : kAllClientApis) {
      const Outcome outcome = pair_->Run({.kind = kind, .api = api});
      EXPECT_TRUE(outcome.status.ok()) << outcome;
      if (kind != RpcKind::kUnary) ++calls;
    }
  }
  EXPECT_EQ(streams(), calls);
}

TEST_F(DirectStreamsTest, ThoseBeyondTheSlotsTakeHttp2) {
  constexpr size_t kStreams = 24;
  std::vector<grpc::ClientContext> contexts(kStreams);
  std::vector<std::unique_ptr<grpc::ClientReaderWriter<EchoRequest, EchoResponse>>> open;
  for (grpc::ClientContext& context : contexts) {
    open.push_back(pair_->stub->Bidi(&context));
    ExpectEchoed(*open.back(), 10);
  }
  EXPECT_EQ(streams(), 16);
  for (const auto& stream : open) ExpectEchoed(*stream, 100'000);
  for (const auto& stream : open) {
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
  }
  // And their slots serve again.
  grpc::ClientContext context;
  const auto stream = pair_->stub->Bidi(&context);
  ExpectEchoed(*stream, 10);
  EXPECT_EQ(streams(), 17);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(DirectStreamsTest, MessagesOfAnySizePassWithAndWithoutBlocks) {
  for (const bool blocks : {true, false}) {
    if (!blocks) {
      pair_ = std::make_unique<EchoPair>(
          TransportKind::kCxlDirect, ServerSettings{.options = WithSizes(512 << 10, 0)}, AnySize());
    }
    grpc::ClientContext context;
    const auto stream = pair_->stub->Bidi(&context);
    for (const size_t bytes :
         {0, 1, 16'000, 17'000, 65'528, 65'536, 70'000, 1'000'000, 3'000'000}) {
      ExpectEchoed(*stream, bytes);
    }
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
  }
  EXPECT_EQ(streams(), 2);
}

// The name of its method promises classes that it does not have.
TEST_F(DirectStreamsTest, ThoseOfGenericStubsAreNot) {
  grpc::GenericStub stub(pair_->channel);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const auto stream = stub.PrepareCall(&context, kBidi, &queue);
  const auto done = [&queue] {
    void* tag;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  stream->StartCall(nullptr);
  ASSERT_TRUE(done());
  EchoRequest request;
  request.set_payload("generic");
  const grpc::Slice slice(request.SerializeAsString());
  stream->Write(grpc::ByteBuffer(&slice, 1), nullptr);
  ASSERT_TRUE(done());
  grpc::ByteBuffer response;
  stream->Read(&response, nullptr);
  ASSERT_TRUE(done());
  stream->WritesDone(nullptr);
  ASSERT_TRUE(done());
  grpc::Status status;
  stream->Finish(&status, nullptr);
  ASSERT_TRUE(done());
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(streams(), 0);
}

TEST_F(DirectStreamsTest, AnOrderlyShutdownWaitsForThem) {
  grpc::ClientContext context;
  const auto stream = pair_->stub->Bidi(&context);
  ExpectEchoed(*stream, 10);
  std::thread server([this] { pair_->server->Shutdown(absl::InfiniteFuture()); });
  // Refused from some moment on: other calls find no server.
  while (pair_->Run({.prepare = WithDeadline(absl::Milliseconds(100))}).status.ok()) {
  }
  ExpectEchoed(*stream, 10);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  server.join();
  EXPECT_EQ(streams(), 1);
}

TEST_F(DirectStreamsTest, AMessageAboveTheServersLimitEndsThem) {
  pair_ = std::make_unique<EchoPair>(
      TransportKind::kCxlDirect,
      ServerSettings{.options = WithSizes(512 << 10, 0), .configure = [](auto* builder) {
                       builder->SetMaxReceiveMessageSize(200'000);
                     }});
  grpc::ClientContext context;
  const auto stream = pair_->stub->Bidi(&context);
  ExpectEchoed(*stream, 100'000);
  EchoRequest request;
  request.set_payload(Pattern(300'000));
  stream->Write(request);
  EchoResponse response;
  EXPECT_FALSE(stream->Read(&response));
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::RESOURCE_EXHAUSTED) << status.error_message();
}

}  // namespace
}  // namespace grpc_cxl::e2e
