// SPDX-License-Identifier: Apache-2.0

// (On the stream path: direct calls would take any of the connections.) A server in a small control
// group is not killed by being connected to: 200 connections, each of which passes large messages,
// and all are answered. Idle connections take little.

#include <gtest/gtest.h>

#include <cstdint>
#include <iostream>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "test/e2e/child.h"
#include "test/e2e/client_call.h"
#include "test/e2e/echo_pair.h"
#include "test/support/eventually.h"
#include "test/support/memory_group.h"
#include "test/support/process_state.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::e2e {
namespace {

constexpr int64_t kMiB = 1 << 20;

TEST(MemoryLimitTest, TwoHundredConnectionsToAServerOf128MiB) {
  const internal::MemoryGroup group(128 * kMiB);
  if (!group.why_none().empty()) GTEST_SKIP() << group.why_none();
  const internal::TemporaryDirectory directory;
  {
    Child server("server", TransportKind::kCxl, directory.path(),
                 {"--memory_group=" + group.processes_file()});
    ASSERT_EQ(server.ReadLine(), "serving");
    const auto transport = Transport::Join(TransportKind::kCxl, directory.path());
    std::vector<std::unique_ptr<Echo::Stub>> stubs;
    for (int i = 0; i < 200; ++i) {
      stubs.push_back(Echo::NewStub(MakeChannel(*transport, OwnConnection())));
      for (const size_t bytes : {size_t{100}, size_t{1} << 20}) {
        const Outcome outcome = Perform(stubs.back().get(), CallOfSize(bytes));
        ASSERT_TRUE(outcome.status.ok())
            << "connection " << i << ": " << outcome.status.error_message() << "; "
            << group.most_bytes_used() << " bytes used, " << group.kills() << " kills";
      }
    }
    EXPECT_EQ(internal::CountArenas(), 200);
    for (const auto& stub : stubs) {
      const Outcome outcome = Perform(stub.get(), CallOfSize(100'000));
      ASSERT_TRUE(outcome.status.ok()) << outcome;
    }
    std::cout << group.most_bytes_used() / kMiB << " MiB at most\n";
    EXPECT_EQ(server.Finish(), 0);
  }
  EXPECT_EQ(group.kills(), 0);
}

// Both sides together, for the arena; what gRPC takes for a connection is not ours.
TEST(MemoryLimitTest, AnIdleConnectionTakesLittle) {
  EchoPair pair(TransportKind::kCxl);
  constexpr int kConnections = 20;
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < kConnections; ++i) {
    channels.push_back(MakeChannel(*pair.transport, OwnConnection()));
    Connect(*channels.back());
    const Outcome outcome = Perform(Echo::NewStub(channels.back()).get(), CallOfSize(1000));
    ASSERT_TRUE(outcome.status.ok()) << outcome;
  }
  EXPECT_LE(internal::ArenaBytesResident() / kConnections, 256 << 10);
  for (const auto& channel : channels) {
    EXPECT_TRUE(Perform(Echo::NewStub(channel).get(), CallOfSize(1 << 20)).status.ok());
  }
  EXPECT_GT(internal::ArenaBytesResident() / kConnections, 1 << 20);
  EXPECT_TRUE(internal::Eventually(
      [&] { return internal::ArenaBytesResident() / kConnections <= 128 << 10; }));
  for (const auto& channel : channels) {
    EXPECT_TRUE(Perform(Echo::NewStub(channel).get(), CallOfSize(1 << 20)).status.ok());
  }
}

}  // namespace
}  // namespace grpc_cxl::e2e
