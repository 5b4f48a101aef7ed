// Proves that a report about connections has every figure, none where nothing was measured, and a
// plot of what can be plotted.

#include "bench/report/connections_report.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grpc_cxl::bench {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

void Add(Report& report, const std::string& arena, uint32_t connections, double connect_ms) {
  ConnectionCost& cost = *report.add_connections();
  cost.set_transport("cxl");
  cost.set_arena(arena);
  cost.set_connections(connections);
  cost.set_p50_us(123.4);
  cost.set_server_idle_ms_per_s(0.5);
  if (connections == 1) return;
  cost.set_connect_ms(connect_ms);
  cost.set_longest_connect_ms(2 * connect_ms);
  cost.set_server_bytes(3 << 10);
  cost.set_client_bytes(4 << 10);
  cost.set_arena_bytes(5 << 10);
}

TEST(ConnectionsReportTest, LeavesOutWhatTheFirstConnectionHasNot) {
  Report report;
  Add(report, "small", 1, 0);
  Add(report, "small", 100, 1.5);
  const std::string table = ConnectionsAsTable(report);
  EXPECT_THAT(table, ContainsRegex("\ncxl +small +1 +0.50 +0.00 +123.4\n"));
  EXPECT_THAT(table, ContainsRegex("\ncxl +small +100 +1.50 +3.00 +3 +4 +5 +0.50 +0.00 +123.4\n"));
}

TEST(ConnectionsReportTest, PlotsEachFigureOfEachContender) {
  Report report;
  for (const std::string arena : {"default", "small"}) {
    Add(report, arena, 1, 0);
    Add(report, arena, 10, 1.5);
    Add(report, arena, 100, 2.5);
  }
  const std::string html = ConnectionsAsHtml(report);
  EXPECT_THAT(html, HasSubstr("cxl, default arenas"));
  EXPECT_THAT(html, HasSubstr("<title>cxl, small arenas: 2.5</title>"));
  EXPECT_THAT(html, HasSubstr("p50 of calls on one connection"));
  EXPECT_THAT(html, HasSubstr("time to connect"));
  EXPECT_THAT(html, Not(HasSubstr("nan")));
  EXPECT_THAT(html, Not(HasSubstr("inf")));
}

TEST(ConnectionsReportTest, PlotsNothingAgainstOneNumber) {
  Report report;
  Add(report, "small", 1, 0);
  EXPECT_THAT(ConnectionsAsHtml(report), Not(HasSubstr("<svg")));
}

}  // namespace
}  // namespace grpc_cxl::bench
