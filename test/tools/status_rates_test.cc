// SPDX-License-Identifier: Apache-2.0
// Proves that rates are of the time between, that nothing is negative, and that what has just come
// has none.
#include "grpc_cxl/tools/status_rates.h"

#include "gmock/gmock.h"
#include "grpc_cxl/tools/status_report.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

TEST(StatusRatesTest, AreOfTheTimeBetween) {
  HostStatus before, now;
  before.processes.resize(1);
  StatusConnection connection{};
  connection.arena = 7;
  connection.side = 1;
  connection.calls = 100;
  connection.reads = 10;
  connection.latency[3] = 100;
  before.processes[0].page.connections = {connection};
  now = before;
  StatusConnection& later = now.processes[0].page.connections[0];
  later.calls = 300;
  later.reads = 9;  // of a hostile page
  later.latency[3] = 101;
  later.blocks_in_use = 4096;
  now.processes[0].page.process.direct = 200;
  connection.arena = 8;  // has just come
  now.processes[0].page.connections.push_back(connection);

  const StatusPage rates = RatesSince(before, now, 2).processes[0].page;
  EXPECT_EQ(rates.process.direct, 100);
  EXPECT_EQ(rates.connections[0].calls, 100);
  EXPECT_EQ(rates.connections[0].reads, 0);
  EXPECT_EQ(rates.connections[0].latency[3], 1);
  EXPECT_EQ(rates.connections[0].blocks_in_use, 4096) << "is no counter";
  EXPECT_EQ(rates.connections[1].calls, 0);
}

TEST(ConnectionDetailTest, HasBothEndsBesideEachOther) {
  ProcessStatus process;
  StatusConnection client{};
  client.side = 1;
  client.calls = 12;
  client.latency[0] = 1;
  client.one_way_calls = 3;
  client.outcomes[14] = 2;
  JoinedConnection one{.client_process = &process, .client = &client};
  EXPECT_THAT(ConnectionDetail(one),
              testing::AllOf(testing::HasSubstr("latency  p50 1.02us  p90"),
                             testing::ContainsRegex("direct calls +12 +[?]"),
                             testing::ContainsRegex("one-way +3 +[?]"),
                             testing::ContainsRegex("ended UNAVAILABLE +2 +[?]")));
  StatusConnection server{};
  server.latency[4] = 1;
  one.server = &server;
  EXPECT_THAT(ConnectionDetail(one), testing::HasSubstr("\n  in the server  p50 2.05us  p90"));
}

}  // namespace
}  // namespace grpc_cxl::internal
