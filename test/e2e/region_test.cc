// Processes that share one file and nothing else: calls of all kinds work between them, in
// memory that is not coherent, with the checker watching; and they notice when the other dies.

#include "grpc_cxl/region/region.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/log/check.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/region/region_entries.h"
#include "test/e2e/child.h"
#include "test/e2e/echo_call.h"
#include "test/e2e/echo_pair.h"
#include "test/e2e/test_directory.h"
#include "test/e2e/transport.h"

namespace grpc_cxl::e2e {
namespace {

constexpr absl::Duration kLease = absl::Milliseconds(500);

// On host 1 with what runs in this process; children are on the host they are told.
class RegionTest : public ::testing::TestWithParam<TransportKind> {
 protected:
  RegionTest() {
    CHECK_OK(internal::FormatRegion(path_, {.hosts = 2, .bytes = 48 << 20, .lease = kLease}));
    setenv("GRPC_CXL_REGION", path_.c_str(), 1);
    setenv("GRPC_CXL_HOST", "1", 1);
  }
  ~RegionTest() override {
    for (const char* variable : {"GRPC_CXL_REGION", "GRPC_CXL_HOST", "GRPC_CXL_CHECK_FLUSHES"}) {
      unsetenv(variable);
    }
  }

  std::unique_ptr<Child> Start(const std::string& role, int host,
                               const std::vector<std::string>& more = {}) {
    std::vector<std::string> flags = {"--role=" + role, "--transport=" + Name(GetParam()),
                                      "--place=unused", "--region=" + path_,
                                      absl::StrCat("--host=", host)};
    flags.insert(flags.end(), more.begin(), more.end());
    return std::make_unique<Child>(flags);
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

  const TestDirectory directory_;
  const std::string path_ = directory_.path() + "/region";
};

TEST_P(RegionTest, TwoThatShareNothingElse) {
  setenv("GRPC_CXL_CHECK_FLUSHES", "1", 1);
  const auto server = Start("server", 0, {"--own_namespaces"});
  const std::string permitted = server->ReadLine().value_or("nothing");
  if (absl::StrContains(permitted, "no namespace")) {
    GTEST_SKIP() << "namespaces are not permitted here: " << permitted;
  }
  ASSERT_EQ(permitted, "alone, as process 1");
  ASSERT_EQ(server->ReadLine(), "serving");
  const auto client = Start("client", 1, {"--own_namespaces"});
  ASSERT_EQ(client->ReadLine(), "alone, as process 1");
  for (const char* kind : {"unary", "client_stream", "server_stream", "bidi"}) {
    EXPECT_EQ(client->ReadLine(), std::string(kind) + " 0 ");
  }
  EXPECT_EQ(client->Finish(), 0);
  EXPECT_EQ(server->Finish(), 0);
}

TEST_P(RegionTest, TheServerIsKilledAndComesBack) {
  const auto transport = Transport::Join(GetParam(), "unused");
  const auto stub = Echo::NewStub(MakeChannel(*transport));
  const auto patient = [](grpc::ClientContext* context) {
    context->set_wait_for_ready(true);
    context->set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(30)));
  };
  auto server = Start("server", 0, {"--announce_at_gate=1"});
  ASSERT_EQ(server->ReadLine(), "serving");
  for (const RpcKind kind : kAllRpcKinds) {
    const Outcome outcome = Perform(stub.get(), {.kind = kind, .prepare = patient});
    EXPECT_TRUE(outcome.status.ok()) << Name(kind) << ": " << outcome.status.error_message();
  }
  std::thread killer([&] {
    EXPECT_EQ(server->ReadLine(), "at gate");
    server->Kill();
  });
  ClientCall call{.prepare = patient};
  call.requests[0].mutable_script()->set_wait_at_gate(true);
  const Outcome outcome = Perform(stub.get(), call);
  killer.join();
  EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::UNAVAILABLE)
      << outcome.status.error_message();
  server = Start("server", 0);
  ASSERT_EQ(server->ReadLine(), "serving");
  const Outcome again = Perform(stub.get(), {.prepare = patient});
  EXPECT_TRUE(again.status.ok()) << again.status.error_message();
}

TEST_P(RegionTest, TheClientIsKilledAndItsMemoryComesBack) {
  const auto server = Start("server", 0, {"--announce_at_gate=4"});
  ASSERT_EQ(server->ReadLine(), "serving");
  const auto client = Start("hanging_client", 1);
  ASSERT_EQ(server->ReadLine(), "at gate");
  EXPECT_GT(BytesInUse(), 0);
  client->Kill();
  // The next process of its host clears up after it; else it would take ten leases.
  const auto next = Start("client", 1);
  for (const char* kind : {"unary", "client_stream", "server_stream", "bidi"}) {
    EXPECT_EQ(next->ReadLine(), std::string(kind) + " 0 ");
  }
  next->Kill();
  const absl::Time start = absl::Now();
  while (BytesInUse() > 0 && absl::Now() - start < absl::Seconds(30)) {
    absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_EQ(BytesInUse(), 0);
  EXPECT_EQ(server->Finish(), 0);
}

INSTANTIATE_TEST_SUITE_P(Cxl, RegionTest,
                         ::testing::Values(TransportKind::kCxl, TransportKind::kCxlDirect),
                         [](const auto& info) { return Name(info.param); });

}  // namespace
}  // namespace grpc_cxl::e2e
