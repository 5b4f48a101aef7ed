// SPDX-License-Identifier: Apache-2.0

// What payload blocks promise to whole programs: cords and byte buffers are read where the
// sender put them, messages of generated classes are put there at once; what is received can
// be kept long after channel and server are gone; streams of large messages, one and many,
// arrive whole, also in an arena far too small for them, on both paths; and when everything
// has been let go nothing is lent any more.

#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/cord.h"
#include "grpc_cxl/direct_calls.h"
#include "grpc_cxl/payload_counters.h"
#include "test/e2e/blobs_server.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/child.h"
#include "test/e2e/echo_call.h"

namespace grpc_cxl::e2e {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kCalls = 3;  // that the client of e2e_child.cc makes, of 1 MiB each

const ServerSettings kPlacing = {.configure = UsePlacement};

// Client and server are in this process, so the counters tell of both.
class Payloads : public Since<PayloadCounters> {
 public:
  Payloads() : Since(GetPayloadCounters) {}
};

class PayloadTest : public EveryTransport {
 protected:
  void TearDown() override { ExpectNothingLent(); }
};

struct BlobsPair {
  explicit BlobsPair(TransportKind kind)
      : transport(Transport::Make(kind)),
        server(*transport),
        channel(MakeChannel(*transport, AnySize())),
        stub(Blobs::NewStub(channel)) {
    Connect(*channel);
  }
  // The response to `data`, which must be the same.
  Blob Swap(const std::string& data) {
    Blob request, response;
    request.set_data(data);
    grpc::ClientContext context;
    const grpc::Status status = stub->Swap(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_TRUE(response.data() == data);
    return response;
  }

  const std::unique_ptr<Transport> transport;
  BlobsServer server;
  const std::shared_ptr<grpc::Channel> channel;
  const std::unique_ptr<Blobs::Stub> stub;
};

TEST_P(PayloadTest, MessagesArePlacedAndCordsAreReadInPlace) {
  BlobsPair pair(GetParam());
  const Payloads since;
  pair.Swap(Pattern(kMiB));
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
  for (int i = 0; i < 50; ++i) pair.Swap(Pattern(3000, i));
  ASSERT_EQ(pair.server.kept.size(), 50u);
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(pair.server.kept[i] == Pattern(3000, i)) << i;
}

TEST_P(PayloadTest, CordsOutliveChannelAndServer) {
  const std::string text = Pattern(2 * kMiB);
  const absl::Cord kept = BlobsPair(GetParam()).Swap(text).data();
  EXPECT_GT(GetPayloadCounters().loans_held, 0);
  EXPECT_TRUE(kept == text);
}

TEST_P(PayloadTest, ByteBuffersAreReadInPlaceAndOutliveTheChannel) {
  Blob blob;
  blob.set_data(Pattern(kMiB));
  const grpc::Slice slice(blob.SerializeAsString());
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  {
    BlobsPair pair(GetParam());
    const Payloads since;
    grpc::GenericStub stub(pair.channel);
    CallGenerically(stub, "/grpc_cxl.e2e.Blobs/Swap", &request, &response);
    // The request was no message, so it was copied, once.
    EXPECT_GE(since(&PayloadCounters::sent_by_block), kMiB);
    EXPECT_GE(since(&PayloadCounters::received_in_place), 2 * kMiB);
  }
  grpc::Slice whole;
  ASSERT_TRUE(response.DumpToSingleSlice(&whole).ok());
  Blob answer;
  ASSERT_TRUE(answer.ParseFromArray(whole.begin(), static_cast<int>(whole.size())));
  EXPECT_TRUE(answer.data() == blob.data());
}

// Streams with `messages` of `bytes` each, checked byte by byte.
void RunStream(Echo::Stub* stub, RpcKind kind, size_t bytes, int messages, uint64_t seed = 0) {
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
    ASSERT_TRUE(outcome.responses[i].payload() == Pattern(bytes, seed + i)) << "message " << i;
  }
}

TEST_P(PayloadTest, StreamsOfLargeMessagesAloneAndAtOnce) {
  EchoPair pair(GetParam(), kPlacing, AnySize());
  RunStream(pair.stub.get(), RpcKind::kBidi, kMiB, 40, 1);
  RunStream(pair.stub.get(), RpcKind::kServerStream, 64 << 10, 500);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&pair, i] {
      if (i % 2 == 0) RunStream(pair.stub.get(), RpcKind::kBidi, kMiB, 15, 100 * i);
      if (i % 2 == 1) RunStream(pair.stub.get(), RpcKind::kServerStream, 64 << 10, 200);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Ten thousand calls of random sizes from four threads through an arena with space for a tenth
// of what is under way.
TEST_P(PayloadTest, TenThousandRandomSizesInAnArenaFarTooSmall) {
  ServerSettings small = kPlacing;
  small.options = WithSizes(16 << 10, 64 << 10);
  EchoPair pair(GetParam(), small, AnySize());
  const Payloads since;
  const Since<DirectCallStats> paths(GetDirectCallStats);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&pair, thread] {
      std::minstd_rand random(thread + 1);
      for (int i = 0; i < 2500; ++i) {
        // Of each order of magnitude alike many, up to 256 KiB.
        const size_t bytes = random() % (size_t{2} << random() % 18);
        ClientCall call;
        call.requests[0].set_payload(Pattern(bytes, random()));
        const Outcome outcome = pair.Run(call);
        ASSERT_TRUE(outcome.status.ok()) << outcome;
        ASSERT_TRUE(outcome.responses[0].payload() == call.requests[0].payload()) << bytes;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(since(&PayloadCounters::sent_in_place), 0u);
  EXPECT_GT(since(&PayloadCounters::sent_for_want_of_blocks), 0u);
  if (GetParam() == TransportKind::kCxlDirect) {
    EXPECT_GT(paths(&DirectCallStats::direct), 0u);
    EXPECT_GT(paths(&DirectCallStats::too_large), 0u);
  }
}

// Blocks that a client keeps are missing to the server, and calls go on all the same.
TEST_P(PayloadTest, AClientThatKeepsAllItGets) {
  BlobsPair pair(GetParam());
  const Payloads since;
  std::vector<Blob> kept;
  for (size_t i = 0; i < 20; ++i) kept.push_back(pair.Swap(Pattern(kMiB, i)));
  for (size_t i = 0; i < 20; ++i) EXPECT_TRUE(kept[i].data() == Pattern(kMiB, i)) << i;
  EXPECT_GT(since(&PayloadCounters::sent_for_want_of_blocks), kMiB);
}

// A process is killed while another holds payload blocks of it: what is held stays whole for
// as long as it is held, calls go on with the successor, and in the end nothing is lent.
class HeldBlocksTest : public PayloadTest {
 protected:
  // Returns when it has printed that.
  std::unique_ptr<Child> Start(const std::string& role, const std::string& done) const {
    auto child = std::make_unique<Child>(role, GetParam(), transport_->place());
    EXPECT_EQ(child->ReadLine(), done);
    return child;
  }

  // Asks the server for as many blobs. A call that met the end of the last server fails, as
  // over TCP, and is made again.
  static std::vector<Blob> Ask(Blobs::Stub* stub) {
    std::vector<Blob> got(kCalls);
    for (size_t i = 0; i < kCalls; ++i) {
      Blob request;
      request.set_data(Pattern(kMiB, i));
      EXPECT_TRUE(internal::Eventually([&] {
        grpc::ClientContext context;
        Patiently()(&context);
        const grpc::Status status = stub->Swap(&context, request, &got[i]);
        EXPECT_TRUE(status.ok() || status.error_code() == grpc::UNAVAILABLE);
        return status.ok();
      }));
    }
    return got;
  }

  const std::unique_ptr<Transport> transport_ = Transport::Make(GetParam());
};

TEST_P(HeldBlocksTest, TheServerIsKilled) {
  auto server = Start("blobs_server", "serving");
  const auto stub = Blobs::NewStub(MakeChannel(*transport_, AnySize()));
  const std::vector<Blob> held = Ask(stub.get());
  ASSERT_GT(GetPayloadCounters().loans_held, 0) << "nothing is held; nothing is tested";
  server->Kill();
  server = Start("blobs_server", "serving");
  const std::vector<Blob> more = Ask(stub.get());
  for (size_t i = 0; i < kCalls; ++i) {
    EXPECT_TRUE(held[i].data() == Pattern(kMiB, i)) << i << ", of the dead server";
    EXPECT_TRUE(more[i].data() == Pattern(kMiB, i)) << i << ", of its successor";
  }
}

TEST_P(HeldBlocksTest, TheClientIsKilled) {
  BlobsServer server(*transport_);
  Start("blobs_client", "done")->Kill();
  ASSERT_GT(GetPayloadCounters().loans_held, 0) << "nothing is held; nothing is tested";
  const auto successor = Start("blobs_client", "done");
  ASSERT_EQ(server.kept.size(), 2 * kCalls);
  for (size_t i = 0; i < 2 * kCalls; ++i) {
    EXPECT_TRUE(server.kept[i] == Pattern(kMiB, i % kCalls)) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Cxl, PayloadTest,
                         ::testing::Values(TransportKind::kCxl, TransportKind::kCxlDirect),
                         ParamName());
INSTANTIATE_TEST_SUITE_P(Cxl, HeldBlocksTest,
                         ::testing::Values(TransportKind::kCxl, TransportKind::kCxlDirect),
                         ParamName());

}  // namespace
}  // namespace grpc_cxl::e2e
