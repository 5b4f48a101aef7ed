// A process is killed while another holds payload blocks of it: what is held stays whole for
// as long as it is held, calls go on with the successor, and in the end nothing is lent.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/payload_counters.h"
#include "test/e2e/blobs_server.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/child.h"
#include "test/e2e/echo_call.h"

namespace grpc_cxl::e2e {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kCalls = 3;  // the client of the e2e_child makes as many

class HeldBlocksTest : public ::testing::TestWithParam<TransportKind> {
 protected:
  std::unique_ptr<Child> StartChild(const std::string& role) const {
    return std::make_unique<Child>(std::vector<std::string>{
        "--role=" + role, "--transport=" + Name(GetParam()), "--place=" + transport_->place()});
  }

  // Asks the server for as many blobs. A call that met the end of the last server fails, as
  // over TCP, and is made again.
  std::vector<Blob> Ask(Blobs::Stub* stub) const {
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    std::vector<Blob> got(kCalls);
    for (size_t i = 0; i < kCalls; ++i) {
      Blob request;
      request.set_data(Pattern(kMiB, i));
      grpc::Status status;
      do {
        grpc::ClientContext context;
        context.set_wait_for_ready(true);
        context.set_deadline(absl::ToChronoTime(deadline));
        status = stub->Swap(&context, request, &got[i]);
      } while (status.error_code() == grpc::StatusCode::UNAVAILABLE && absl::Now() < deadline);
      EXPECT_TRUE(status.ok()) << status.error_message();
    }
    return got;
  }

  // gRPC drops its last slices on threads of its own.
  static void ExpectNothingLent() {
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    PayloadCounters counters;
    do {
      counters = GetPayloadCounters();
      if (counters.loans_out == 0 && counters.loans_held == 0) return;
      absl::SleepFor(absl::Milliseconds(1));
    } while (absl::Now() < deadline);
    ADD_FAILURE() << counters.loans_out << " loans out, " << counters.loans_held << " held";
  }

  const std::unique_ptr<Transport> transport_ = Transport::Make(GetParam());
};

TEST_P(HeldBlocksTest, TheServerIsKilled) {
  {
    auto server = StartChild("blobs_server");
    ASSERT_EQ(server->ReadLine(), "serving");
    const auto channel =
        MakeChannel(*transport_, {.configure = [](grpc::ChannelArguments* arguments) {
          arguments->SetMaxReceiveMessageSize(-1);
        }});
    const auto stub = Blobs::NewStub(channel);
    const std::vector<Blob> held = Ask(stub.get());
    ASSERT_GT(GetPayloadCounters().loans_held, 0) << "nothing is held; nothing is tested";
    server->Kill();
    server = StartChild("blobs_server");
    ASSERT_EQ(server->ReadLine(), "serving");
    const std::vector<Blob> more = Ask(stub.get());
    for (size_t i = 0; i < kCalls; ++i) {
      EXPECT_TRUE(held[i].data() == Pattern(kMiB, i)) << i << ", of the dead server";
      EXPECT_TRUE(more[i].data() == Pattern(kMiB, i)) << i << ", of its successor";
    }
  }
  ExpectNothingLent();
}

TEST_P(HeldBlocksTest, TheClientIsKilled) {
  {
    BlobsServer server(*transport_);
    auto client = StartChild("blobs_client");
    ASSERT_EQ(client->ReadLine(), "done");
    ASSERT_GT(GetPayloadCounters().loans_held, 0) << "nothing is held; nothing is tested";
    client->Kill();
    auto successor = StartChild("blobs_client");
    ASSERT_EQ(successor->ReadLine(), "done");
    ASSERT_EQ(server.kept.size(), 2 * kCalls);
    for (size_t i = 0; i < 2 * kCalls; ++i) {
      EXPECT_TRUE(server.kept[i] == Pattern(kMiB, i % kCalls)) << i;
    }
  }
  ExpectNothingLent();
}

INSTANTIATE_TEST_SUITE_P(Cxl, HeldBlocksTest,
                         ::testing::Values(TransportKind::kCxl, TransportKind::kCxlDirect),
                         [](const auto& info) { return Name(info.param); });

}  // namespace
}  // namespace grpc_cxl::e2e
