// Proves that ratios are taken against the better of tcp and unix, figure by figure, and
// that the JSON carries every field under its documented name, zeros included.

#include "bench/report/report.h"

#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "bench/harness/temporary_directory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grpc_cxl::bench {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

Row MakeRow(const std::string& transport, double p50_us, double p99_us) {
  Row row;
  row.set_transport(transport);
  row.set_wait("kernel");
  row.set_p50_us(p50_us);
  row.set_p99_us(p99_us);
  return row;
}

TEST(ReportTest, ComparesWithTheBetterOfTcpAndUnix) {
  const std::vector<Row> rows = {MakeRow("tcp", 100, 400), MakeRow("cxl", 50, 100),
                                 MakeRow("unix", 200, 200)};
  const std::string table = RowsAsTable(rows);
  EXPECT_THAT(table, ContainsRegex("\ntcp .* 1\\.00 +2\\.00 *\n"));
  EXPECT_THAT(table, ContainsRegex("\ncxl .* 0\\.50 +0\\.50 *\n"));
  EXPECT_THAT(table, ContainsRegex("\nunix .* 2\\.00 +1\\.00 *\n"));
  EXPECT_EQ(Ratio(rows, rows[2], &Row::p50_us), 2);
}

TEST(ReportTest, ComparesPinnedRowsWithPinnedOnes) {
  std::vector<Row> rows = {MakeRow("tcp", 100, 400), MakeRow("tcp", 50, 400),
                           MakeRow("cxl", 10, 100)};
  rows[1].set_pinned(true);
  rows[2].set_pinned(true);
  EXPECT_EQ(Ratio(rows, rows[2], &Row::p50_us), 0.2);
  EXPECT_EQ(ContenderName(rows, rows[2]), "cxl, pinned");
}

TEST(ReportTest, HasNoRatioWithoutTcpAndUnix) {
  const std::vector<Row> rows = {MakeRow("cxl", 50, 100)};
  EXPECT_THAT(RowsAsTable(rows),
              ContainsRegex("\ncxl +kernel +50\\.0 +0\\.0 +0\\.0 +100\\.0 +0 +0\\.0 *\n"));
  EXPECT_EQ(Ratio(rows, rows[0], &Row::p50_us), std::nullopt);
}

TEST(ReportTest, WritesEveryFieldOfARow) {
  const auto directory = TemporaryDirectory::Create();
  ASSERT_TRUE(directory.ok());
  const std::string file = directory->path() + "/report.json";
  Report report = NewReport();
  *report.add_rows() = MakeRow("tcp", 1.5, 2.5);
  ASSERT_TRUE(WriteJson(report, file).ok());
  std::ostringstream json;
  json << std::ifstream(file).rdbuf();
  for (const std::string field :
       {"\"transport\": \"tcp\"", "\"api\": \"\"", "\"size_bytes\": 0", "\"concurrency\": 0",
        "\"wait\": \"kernel\"", "\"p50_us\": 1.5", "\"p99_us\": 2.5", "\"calls_per_s\": 0",
        "\"cpu_us_per_call\": 0"}) {
    EXPECT_THAT(json.str(), HasSubstr(field));
  }
}

TEST(ReportTest, SaysWhereItCannotWrite) {
  const absl::Status status = WriteJson(NewReport(), "/nonexistent/report.json");
  EXPECT_THAT(std::string(status.message()), HasSubstr("Cannot write /nonexistent/report.json"));
}

}  // namespace
}  // namespace grpc_cxl::bench
