// SPDX-License-Identifier: Apache-2.0

// Processes that share nothing but a rendezvous directory, or nothing but a region, in which
// memory is not coherent and the checker watches: calls of all kinds and sizes work between
// them. In a region they notice when the other dies, and what the dead held comes back.

#include "grpc_cxl/region/region.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/log/check.h"
#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/region/membership.h"
#include "grpc_cxl/region/region_entries.h"
#include "test/e2e/calls_fixture.h"
#include "test/e2e/child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::e2e {
namespace {

constexpr absl::Duration kLease = absl::Milliseconds(500);

class IsolationTest : public EveryTransport {
 protected:
  std::unique_ptr<Child> Start(const std::string& role, const char* host,
                               const std::vector<std::string>& flags = {}) {
    return std::make_unique<Child>(
        role, GetParam(), directory_.path(), flags,
        internal::SpawnOptions{.environment = {{"GRPC_CXL_HOST", host}}});
  }
  static void ExpectCalls(Child& client) {
    for (const RpcKind kind : kAllRpcKinds) EXPECT_EQ(client.ReadLine(), Name(kind) + " 0 ");
  }
  // Neither has a network interface that is up, nor anything else of the other's.
  void ExpectCallsBetweenNamespaces() {
    const auto server = Start("server", "0", {"--own_namespaces"});
    const std::string permitted = server->ReadLine().value_or("nothing");
    if (absl::StrContains(permitted, "no namespace")) {
      GTEST_SKIP() << "namespaces are not permitted here: " << permitted;
    }
    const std::string alone = "alone, as process 1, with 0 interfaces up";
    ASSERT_EQ(permitted, alone);
    ASSERT_EQ(server->ReadLine(), "serving");
    const auto client = Start("client", "1", {"--own_namespaces"});
    ASSERT_EQ(client->ReadLine(), alone);
    ExpectCalls(*client);
    EXPECT_EQ(client->Finish(), 0);
    EXPECT_EQ(server->Finish(), 0);
  }

  const internal::TemporaryDirectory directory_;
};

// This process is on host 1; children are on the host they are told.
class RegionTest : public IsolationTest {
 protected:
  RegionTest() {
    CHECK_OK(internal::FormatRegion(path_, {.hosts = 2, .bytes = 48 << 20, .lease = kLease}));
    setenv("GRPC_CXL_REGION", path_.c_str(), 1);
    setenv("GRPC_CXL_HOST", "1", 1);
    setenv("GRPC_CXL_CHECK_FLUSHES", "1", 1);
  }
  ~RegionTest() override {
    for (const char* variable : {"GRPC_CXL_REGION", "GRPC_CXL_HOST", "GRPC_CXL_CHECK_FLUSHES"}) {
      unsetenv(variable);
    }
  }

  // What host 0 has given to connections.
  uint64_t BytesInUse() {
    const auto region =
        internal::Region::Open({.path = path_, .host = internal::Region::kObserver, .model = {}});
    CHECK_OK(region.status());
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < internal::kHostAnswers; ++i) {
      const auto answer = internal::ReadAnswer(**region, 0, i);
      if (answer.has_value()) bytes += answer->bytes;
    }
    return bytes;
  }

  const std::string path_ = directory_.path() + "/region";
};

TEST_P(IsolationTest, SharingADirectory) { ExpectCallsBetweenNamespaces(); }

TEST_P(RegionTest, SharingNothingElse) { ExpectCallsBetweenNamespaces(); }

TEST_P(RegionTest, TheServerIsKilledAndComesBack) {
  const auto stub =
      Echo::NewStub(MakeChannel(*Transport::Join(GetParam(), directory_.path()), AnySize()));
  auto server = Start("server", "0", {"--announce_at_gate=1"});
  ASSERT_EQ(server->ReadLine(), "serving");
  for (const size_t bytes : {0, 1, 63, 64, 65, 4096, 16384, 65536, 300'000, 3'000'000}) {
    for (const RpcKind kind : kAllRpcKinds) {
      ClientCall call = CallOfSize(bytes);
      call.kind = kind;
      call.requests.resize(ManyRequests(kind) ? 3 : 1, call.requests[0]);
      call.requests[0].mutable_script()->set_response_count(3);
      call.prepare = Patiently();
      const Outcome outcome = Perform(stub.get(), call);
      ASSERT_TRUE(outcome.status.ok()) << kind << ": " << outcome;
      for (const EchoResponse& response : outcome.responses) {
        EXPECT_TRUE(response.payload() == call.requests[0].payload()) << kind << " of " << bytes;
      }
    }
  }
  std::thread killer([&] {
    EXPECT_EQ(server->ReadLine(), "at gate");
    server->Kill();
  });
  ClientCall call = CallThatWaitsAtGate();
  call.prepare = Patiently();
  Outcome outcome = Perform(stub.get(), call);
  killer.join();
  EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::UNAVAILABLE) << outcome;
  server = Start("server", "0");
  ASSERT_EQ(server->ReadLine(), "serving");
  outcome = Perform(stub.get(), {.prepare = Patiently()});
  EXPECT_TRUE(outcome.status.ok()) << outcome;
}

TEST_P(RegionTest, TheClientIsKilledAndItsMemoryComesBack) {
  const auto server = Start("server", "0", {"--announce_at_gate=4"});
  ASSERT_EQ(server->ReadLine(), "serving");
  const auto client = Start("hanging_client", "1");
  ASSERT_EQ(server->ReadLine(), "at gate");
  const uint64_t of_one = BytesInUse();
  EXPECT_GT(of_one, 0);
  client->Kill();
  // The next process of its host clears up after it.
  const auto next = Start("client", "1");
  ExpectCalls(*next);
  EXPECT_TRUE(internal::Eventually([&] { return BytesInUse() <= of_one; })) << BytesInUse();
  // Until there is one, the client might only be stopped.
  next->Kill();
  absl::SleepFor(2 * kLease);
  EXPECT_GT(BytesInUse(), 0);
  const auto region = internal::Region::Open({.path = path_, .host = 1, .model = {}});
  CHECK_OK(region.status());
  CHECK_OK(internal::Membership::Join(*region).status());  // as cxl_region clear does
  EXPECT_TRUE(internal::Eventually([this] { return BytesInUse() == 0; })) << BytesInUse();
  EXPECT_EQ(server->Finish(), 0);
}

INSTANTIATE_TEST_SUITE_P(Cxl, IsolationTest,
                         ::testing::Values(TransportKind::kCxl, TransportKind::kCxlDirect),
                         ParamName());
INSTANTIATE_TEST_SUITE_P(Cxl, RegionTest,
                         ::testing::Values(TransportKind::kCxl, TransportKind::kCxlDirect),
                         ParamName());

}  // namespace
}  // namespace grpc_cxl::e2e
