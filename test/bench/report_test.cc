// SPDX-License-Identifier: Apache-2.0
// Proves that ratios are to the better of tcp and unix, figure by figure, that JSON carries every
// field under its documented name, that charts draw larger values higher, and that missing figures
// are left out.

#include "bench/report/report.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "bench/report/connections_report.h"
#include "bench/report/svg_chart.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/bench/program.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::bench {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

Row MakeRow(const std::string& transport, double p50_us, double p99_us, bool pinned = false) {
  Row row;
  row.set_transport(transport);
  row.set_wait("kernel");
  row.set_p50_us(p50_us);
  row.set_p99_us(p99_us);
  row.set_pinned(pinned);
  return row;
}

TEST(RowsAsTableTest, ComparesWithTheBetterOfTcpAndUnix) {
  EXPECT_THAT(
      RowsAsTable({MakeRow("tcp", 100, 400), MakeRow("cxl", 50, 100), MakeRow("unix", 200, 200)}),
      AllOf(ContainsRegex("\ntcp .* 1\\.00 +2\\.00 *\n"),
            ContainsRegex("\ncxl .* 0\\.50 +0\\.50 *\n"),
            ContainsRegex("\nunix .* 2\\.00 +1\\.00 *\n")));
}

TEST(RowsAsTableTest, ComparesPinnedRowsWithPinnedOnes) {
  const std::vector<Row> rows = {MakeRow("tcp", 20, 20), MakeRow("tcp", 50, 400, true),
                                 MakeRow("cxl", 10, 100, true)};
  EXPECT_THAT(RowsAsTable(rows), ContainsRegex("\ncxl .* 0\\.20 +0\\.25 *\n"));
  EXPECT_EQ(ContenderName(rows, rows[2]), "cxl, pinned");
}

TEST(WriteJsonTest, WritesEveryFieldOfARow) {
  const internal::TemporaryDirectory directory;
  const std::string file = directory.path() + "/report.json";
  Report report = NewReport();
  *report.add_rows() = MakeRow("tcp", 1.5, 2.5);
  ASSERT_TRUE(WriteJson(report, file).ok());
  for (const std::string field :
       {"\"transport\": \"tcp\"", "\"api\": \"\"", "\"size_bytes\": 0", "\"concurrency\": 0",
        "\"wait\": \"kernel\"", "\"p50_us\": 1.5", "\"p99_us\": 2.5", "\"calls_per_s\": 0",
        "\"cpu_us_per_call\": 0"}) {
    EXPECT_THAT(internal::Contents(file), HasSubstr(field));
  }
}

// One connection has no cost of its own, a plot takes two.
TEST(ConnectionsReportTest, LeavesOutWhatOneConnectionDoesNotHave) {
  Report report;
  for (const uint32_t connections : {1, 100}) {
    ConnectionCost& cost = *report.add_connections();
    cost.set_transport("cxl");
    cost.set_arena("small");
    cost.set_connections(connections);
    cost.set_p50_us(123.4);
    if (connections > 1) cost.set_connect_ms(1.5);
    EXPECT_EQ(absl::StrContains(ConnectionsAsHtml(report), "<svg"), connections > 1);
  }
  EXPECT_THAT(ConnectionsAsTable(report), ContainsRegex("\ncxl +small +1 +0.00 +0.00 +123.4\n"));
  EXPECT_THAT(ConnectionsAsHtml(report),
              AllOf(HasSubstr("p50 of calls on one connection"), Not(HasSubstr("nan"))));
}

// The n-th value of an attribute, from 0.
double Attribute(const std::string& svg, const std::string& name, int n) {
  size_t at = 0;
  for (int i = 0; i <= n; ++i) {
    at = svg.find(name + "=\"", at);
    if (at == std::string::npos) return -1;
    at += name.size() + 2;
  }
  return std::stod(svg.substr(at));
}

TEST(SvgChartTest, DrawsTenfoldStepsOfTheSameHeight) {
  const std::string svg =
      SvgChart{
          "x", "y", {{0, "a"}, {2, "b"}}, {{"<b>&", "red", false, {{0, 10}, {1, 100}, {2, 1000}}}}}
          .ToString();
  const double first = Attribute(svg, "cy", 0), second = Attribute(svg, "cy", 1);
  EXPECT_GT(first, second);
  EXPECT_NEAR(first - second, second - Attribute(svg, "cy", 2), 0.2);
  EXPECT_NEAR(Attribute(svg, "cx", 1) * 2, Attribute(svg, "cx", 0) + Attribute(svg, "cx", 2), 0.2);
  EXPECT_THAT(svg, AllOf(HasSubstr("&lt;b&gt;&amp;"), Not(HasSubstr("<b>"))));
}

}  // namespace
}  // namespace grpc_cxl::bench
