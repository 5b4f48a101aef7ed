// SPDX-License-Identifier: Apache-2.0

// Which streams pass through memory where the option is on, and what only these can do wrong.

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/calls/call_codec.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/connection_status.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/link/link_layout.h"
#include "grpc_cxl/options.h"
#include "grpc_cxl/priority_level.h"
#include "grpc_cxl/streams/client_streams.h"
#include "grpc_cxl/streams/server_streams.h"
#include "grpc_cxl/streams/stream_layout.h"
#include "grpc_cxl/streams/stream_memory.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/echo_call.h"
#include "test/support/process_state.h"

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

// A process that opts out by the option, or by GRPC_CXL_DIRECT_STREAMS=0 (environment_test.cc).
TEST_F(DirectStreamsTest, WithoutTheOptionNoneIs) {
  ServerOptions none;
  none.direct_streams = false;
  pair_ = std::make_unique<EchoPair>(TransportKind::kCxlDirect, ServerSettings{.options = none});
  for (const RpcKind kind : kAllRpcKinds) EXPECT_TRUE(pair_->Run({.kind = kind}).status.ok());
  EXPECT_EQ(streams(), 0);
  EXPECT_EQ(since_(&DirectCallStats::http2_streams), 3);
}

// With their messages, at both ends of a connection of this process.
TEST_F(DirectStreamsTest, TheyAndTheirMessagesAreCounted) {
  const Since<ServedCallStats> served{GetServedCallStats};
  grpc::ClientContext context;
  const auto stream = pair_->stub->Bidi(&context);
  for (int i = 0; i < 3; ++i) ExpectEchoed(*stream, 10);
  const auto running = [](uint64_t streams) {
    size_t ends = 0;
    for (const ConnectionStatus& connection : GetConnectionStatus()) {
      ends += connection.streams == 1 && connection.streams_running == streams;
    }
    return ends == 2;
  };
  EXPECT_TRUE(running(1));
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_TRUE(internal::Eventually([&] { return running(0); }));
  for (const ConnectionStatus& connection : GetConnectionStatus()) {
    const bool client = connection.side == ConnectionStatus::Side::kClient;
    EXPECT_EQ(client ? connection.stream_messages_out : connection.stream_messages_in, 3);
    EXPECT_GE(client ? connection.stream_messages_in : connection.stream_messages_out, 3);
    EXPECT_GT(connection.bytes_out, 0);
  }
  EXPECT_EQ(served(&ServedCallStats::streams), 1);
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

// The streams of the only connection of this process, as its server sees them.
internal::StreamMemory OnlyStreams() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin;
    if (!absl::StrContains(line, "/memfd:grpc_cxl") || sscanf(line.c_str(), "%lx-", &begin) != 1) {
      continue;
    }
    const ServerOptions sizes;
    const size_t calls_at = internal::CallAreaAt(
        {.ring_bytes = sizes.ring_bytes, .payload_bytes = sizes.payload_bytes});
    char* const calls = reinterpret_cast<char*>(begin + calls_at);
    char* const area = calls + internal::CallAreas(sizes.call_buffer_bytes) *
                                   internal::CallAreaBytes(sizes.call_buffer_bytes);
    const auto news = [](char* words) {
      return reinterpret_cast<internal::StreamNewsWords*>(words + internal::kStreamNewsAt);
    };
    return {.area = absl::MakeSpan(area, internal::kStreamAreaBytes),
            .client_news = news(calls),
            .server_news = news(calls + internal::kCallServerWordsAt),
            .wake_peer = [] {}};
  }
  return {};
}

struct NoUser : internal::StreamUser {
  void OnNews() override {}
  void OnEnded() override {}
};

// In the client's place, which has no streams of its own.
TEST_F(DirectStreamsTest, AStreamThatItsHeadEndsRunsNoMore) {
  EXPECT_TRUE(pair_->Run({}).status.ok());
  internal::ClientStreams streams(OnlyStreams());
  const std::unique_ptr<internal::ClientStream> stream = streams.Open(std::make_shared<NoUser>());
  ASSERT_NE(stream, nullptr);
  internal::RequestView request;
  request.method = kBidi;
  request.timeout_ns = 0;
  std::string head(internal::RequestHeadBytes(request), '\0');
  internal::EncodeRequestHead(request, 0, absl::MakeSpan(head));
  const absl::Span<const char> pieces[] = {head};
  EXPECT_TRUE(stream->Write(internal::StreamRecord::kHead, pieces).ok());
  stream->Post();
  EXPECT_TRUE(internal::Eventually([&] {
    EXPECT_TRUE(pair_->Run({}).status.ok());  // nothing else wakes the server
    return stream->state() == internal::StreamState::kEnded;
  })) << static_cast<int>(stream->state());
}

// Writes a record to the client of the only stream, which waits for none, in the server's place.
void WriteAsServer(internal::StreamRecord kind, const std::string& bytes) {
  internal::ServerStreams streams(OnlyStreams(), [](size_t) { return true; });
  streams.SetAccepting(true);
  std::unique_ptr<internal::ServerStream> stream;
  const auto take = [&stream](std::unique_ptr<internal::ServerStream> taken, Priority) {
    stream = std::move(taken);
    return std::make_shared<NoUser>();
  };
  ASSERT_TRUE(streams.Run([](Priority) { return true; }, take).status.ok());
  ASSERT_NE(stream, nullptr);
  const absl::Span<const char> pieces[] = {bytes};
  EXPECT_TRUE(stream->Write(kind, pieces).ok());
}

// Checks C67, C68 and C70 of docs/protocol.md.
TEST_F(DirectStreamsTest, AServerThatBreaksTheProtocolLosesItsConnectionAlone) {
  using internal::StreamRecord;
  const std::string response = internal::EncodeResponseHead({}, 0);
  const struct {
    const char* what;
    bool echoes;  // before: its initial metadata is there
    StreamRecord kind;
    std::string bytes;
  } cases[] = {{"a head that is no response", false, StreamRecord::kHead, "x"},
               {"a second head", true, StreamRecord::kHead, response},
               {"an empty end", true, StreamRecord::kEnd, ""},
               {"an end with more than a response", true, StreamRecord::kEnd, response + "x"},
               {"a record of no kind", true, static_cast<StreamRecord>(5), response},
               {"a block of another size", true, StreamRecord::kBlock, "nine byte"}};
  for (const auto& broken : cases) {
    SCOPED_TRACE(broken.what);
    pair_.reset();
    ASSERT_TRUE(internal::Eventually([] { return internal::CountArenas() == 0; }));
    pair_ = std::make_unique<EchoPair>(TransportKind::kCxlDirect);
    grpc::ClientContext context, other_context;
    const auto stream = pair_->stub->Bidi(&context);
    if (broken.echoes) ExpectEchoed(*stream, 10);
    WriteAsServer(broken.kind, broken.bytes);
    EchoPair other(TransportKind::kCxlDirect);
    const auto other_stream = other.stub->Bidi(&other_context);
    ExpectEchoed(*other_stream, 10);

    EchoResponse read;
    EXPECT_FALSE(stream->Read(&read));
    const grpc::Status status = stream->Finish();
    EXPECT_EQ(status.error_code(), grpc::UNAVAILABLE);
    EXPECT_EQ(status.error_message(), "the server broke the protocol of direct calls");
    EXPECT_TRUE(pair_->channel->WaitForStateChange(
        GRPC_CHANNEL_READY, std::chrono::system_clock::now() + std::chrono::seconds(30)))
        << "the connection has not ended";
    ExpectEchoed(*other_stream, 10);
    other_stream->WritesDone();
    EXPECT_TRUE(other_stream->Finish().ok());
    EXPECT_TRUE(internal::Eventually([this] { return pair_->Run({}).status.ok(); }));
  }
}

}  // namespace
}  // namespace grpc_cxl::e2e
