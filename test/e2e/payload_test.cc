// What payload blocks promise to whole programs: cords and byte buffers are read where the
// sender put them, messages of generated classes are put there at once; what is received can
// be kept long after channel and server are gone; streams of large messages, one and many,
// arrive whole, also in an arena far too small for them, on both paths; and when everything
// has been let go nothing is lent any more.

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/payload_counters.h"
#include "test/e2e/blobs_server.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/echo_call.h"

namespace grpc_cxl::e2e {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

const ServerSettings kPlacing = {.configure = UsePlacement};
const ChannelSettings kAnySizeBack = {.configure = [](grpc::ChannelArguments* arguments) {
  arguments->SetMaxReceiveMessageSize(-1);
}};

// What happened since it was made.
class Since {
 public:
  uint64_t operator()(uint64_t PayloadCounters::*counter) const {
    return GetPayloadCounters().*counter - before_.*counter;
  }

 private:
  const PayloadCounters before_ = GetPayloadCounters();
};

class PayloadTest : public ::testing::TestWithParam<TransportKind> {
 protected:
  // Client and server are in this process, so its counters tell of both.
  void TearDown() override {
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    PayloadCounters counters;
    do {  // gRPC drops its last slices on threads of its own
      counters = GetPayloadCounters();
      if (counters.loans_out == 0 && counters.loans_held == 0) return;
      absl::SleepFor(absl::Milliseconds(1));
    } while (absl::Now() < deadline);
    ADD_FAILURE() << counters.loans_out << " loans out, " << counters.loans_held << " held";
  }
};

struct BlobsPair {
  explicit BlobsPair(TransportKind kind)
      : transport(Transport::Make(kind)),
        server(*transport),
        channel(MakeChannel(*transport, kAnySizeBack)) {
    EXPECT_TRUE(
        channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10)));
  }

  const std::unique_ptr<Transport> transport;
  BlobsServer server;
  const std::shared_ptr<grpc::Channel> channel;
};

TEST_P(PayloadTest, MessagesArePlacedAndCordsAreReadInPlace) {
  BlobsPair pair(GetParam());
  const std::string text = Pattern(kMiB);
  Blob request, response;
  request.set_data(text);
  const Since since;
  grpc::ClientContext context;
  ASSERT_TRUE(Blobs::NewStub(pair.channel)->Swap(&context, request, &response).ok());
  EXPECT_TRUE(response.data() == text);
  EXPECT_GE(since(&PayloadCounters::sent_in_place), 2 * kMiB);
  EXPECT_GE(since(&PayloadCounters::received_in_place), 2 * kMiB);
  // What is left is HTTP/2.
  EXPECT_EQ(since(&PayloadCounters::sent_by_block), 0u);
  EXPECT_LT(since(&PayloadCounters::sent_by_ring), 4096u);
  EXPECT_EQ(since(&PayloadCounters::received_from_block), 0u);
}

// Also what is too small for a block is the service's to keep.
TEST_P(PayloadTest, SmallCordsOutliveTheirCalls) {
  BlobsPair pair(GetParam());
  const auto stub = Blobs::NewStub(pair.channel);
  constexpr size_t kBytes = 3000;
  for (int i = 0; i < 50; ++i) {
    Blob request, response;
    request.set_data(std::string(kBytes, static_cast<char>('a' + i % 26)));
    grpc::ClientContext context;
    ASSERT_TRUE(stub->Swap(&context, request, &response).ok());
  }
  ASSERT_EQ(pair.server.kept.size(), 50u);
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(pair.server.kept[i] == std::string(kBytes, static_cast<char>('a' + i % 26))) << i;
  }
}

TEST_P(PayloadTest, CordsOutliveChannelAndServer) {
  const std::string text = Pattern(2 * kMiB);
  absl::Cord kept;
  {
    BlobsPair pair(GetParam());
    Blob request, response;
    request.set_data(text);
    grpc::ClientContext context;
    ASSERT_TRUE(Blobs::NewStub(pair.channel)->Swap(&context, request, &response).ok());
    kept = response.data();
  }
  EXPECT_GT(GetPayloadCounters().loans_held, 0);
  EXPECT_TRUE(kept == text);
}

TEST_P(PayloadTest, ByteBuffersAreReadInPlaceAndOutliveTheChannel) {
  const std::string text = Pattern(kMiB);
  grpc::ByteBuffer response;
  const Since since;
  {
    BlobsPair pair(GetParam());
    Blob blob;
    blob.set_data(text);
    const std::string bytes = blob.SerializeAsString();
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    grpc::GenericStub stub(pair.channel);
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareUnaryCall(&context, "/grpc_cxl.e2e.Blobs/Swap", request, &queue);
    grpc::Status status;
    call->StartCall();
    call->Finish(&response, &status, nullptr);
    void* tag;
    bool ok;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    ASSERT_TRUE(status.ok()) << status.error_message();
    // The request was no message, so it was copied, once.
    EXPECT_GE(since(&PayloadCounters::sent_by_block), kMiB);
    EXPECT_GE(since(&PayloadCounters::received_in_place), 2 * kMiB);
    queue.Shutdown();
    while (queue.Next(&tag, &ok)) {
    }
  }
  grpc::Slice whole;
  ASSERT_TRUE(response.DumpToSingleSlice(&whole).ok());
  Blob blob;
  ASSERT_TRUE(blob.ParseFromArray(whole.begin(), static_cast<int>(whole.size())));
  EXPECT_TRUE(blob.data() == text);
}

// Streams with `messages` of `bytes` each, checked byte by byte.
void RunStream(Echo::Stub* stub, RpcKind kind, size_t bytes, int messages, uint64_t seed) {
  ClientCall call{.kind = kind};
  if (kind == RpcKind::kBidi) {
    call.requests.resize(messages);
    for (int i = 0; i < messages; ++i) call.requests[i].set_payload(Pattern(bytes, seed + i));
  } else {
    call.requests[0].mutable_script()->set_response_count(messages);
    call.requests[0].mutable_script()->set_response_bytes(bytes);
  }
  const Outcome outcome = Perform(stub, call);
  ASSERT_TRUE(outcome.status.ok()) << outcome;
  ASSERT_EQ(outcome.responses.size(), static_cast<size_t>(messages));
  for (int i = 0; i < messages; ++i) {
    ASSERT_TRUE(outcome.responses[i].payload() ==
                (kind == RpcKind::kBidi ? call.requests[i].payload() : Pattern(bytes, i)))
        << "message " << i;
  }
}

TEST_P(PayloadTest, StreamsOfLargeMessages) {
  EchoPair pair(GetParam(), kPlacing, kAnySizeBack);
  RunStream(pair.stub.get(), RpcKind::kBidi, kMiB, 40, 1);
  RunStream(pair.stub.get(), RpcKind::kServerStream, 64 << 10, 500, 0);
}

TEST_P(PayloadTest, EightStreamsAtOnce) {
  EchoPair pair(GetParam(), kPlacing, kAnySizeBack);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&pair, i] {
      if (i % 2 == 0) RunStream(pair.stub.get(), RpcKind::kBidi, kMiB, 15, 100 * i);
      if (i % 2 == 1) RunStream(pair.stub.get(), RpcKind::kServerStream, 64 << 10, 200, 0);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Ten thousand calls of random sizes from four threads, some of them held on to, through an
// arena with room for a tenth of what is under way.
TEST_P(PayloadTest, TenThousandRandomSizesInAnArenaFarTooSmall) {
  ServerOptions options;
  options.ring_bytes = 16 << 10;
  options.payload_bytes = 64 << 10;
  const auto transport = Transport::Make(GetParam(), options);
  const auto server = EchoServer::Start(*transport, kPlacing);
  ASSERT_NE(server, nullptr);
  const auto stub = Echo::NewStub(MakeChannel(*transport, kAnySizeBack));
  const Since since;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&stub, thread] {
      std::minstd_rand random(thread + 1);
      for (int i = 0; i < 2500; ++i) {
        // Of each order of magnitude alike many, up to 256 KiB.
        const size_t bytes = random() % (size_t{2} << random() % 18);
        EchoRequest request;
        EchoResponse response;
        request.set_payload(Pattern(bytes, random()));
        grpc::ClientContext context;
        const grpc::Status status = stub->Unary(&context, request, &response);
        ASSERT_TRUE(status.ok()) << status.error_message();
        ASSERT_TRUE(response.payload() == request.payload()) << bytes << " bytes";
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(since(&PayloadCounters::sent_in_place), 0u);
  EXPECT_GT(since(&PayloadCounters::sent_for_want_of_blocks), 0u);
}

// Blocks that a client keeps are missing to the server, and calls go on all the same.
TEST_P(PayloadTest, AClientThatKeepsAllItGets) {
  BlobsPair pair(GetParam());
  const auto stub = Blobs::NewStub(pair.channel);
  const Since since;
  std::vector<Blob> kept(20);
  for (size_t i = 0; i < kept.size(); ++i) {
    Blob request;
    request.set_data(Pattern(kMiB, i));
    grpc::ClientContext context;
    ASSERT_TRUE(stub->Swap(&context, request, &kept[i]).ok()) << i;
  }
  for (size_t i = 0; i < kept.size(); ++i) EXPECT_TRUE(kept[i].data() == Pattern(kMiB, i)) << i;
  EXPECT_GT(since(&PayloadCounters::sent_for_want_of_blocks), kMiB);
}

INSTANTIATE_TEST_SUITE_P(Cxl, PayloadTest,
                         ::testing::Values(TransportKind::kCxl, TransportKind::kCxlDirect),
                         [](const auto& info) { return Name(info.param); });

}  // namespace
}  // namespace grpc_cxl::e2e
