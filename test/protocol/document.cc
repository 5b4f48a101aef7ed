// SPDX-License-Identifier: Apache-2.0
#include "test/protocol/document.h"

#include <fstream>

#include "absl/log/check.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace grpc_cxl::protocol_test {
namespace {

std::vector<std::string> Lines() {
  std::ifstream file("docs/protocol.md");  // among the runfiles, where Bazel starts tests
  CHECK(file.is_open());
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// Of a table's row; none of another line.
std::vector<std::string> Cells(absl::string_view line) {
  if (!absl::ConsumePrefix(&line, "|") || !absl::ConsumeSuffix(&line, "|")) return {};
  std::vector<std::string> cells = absl::StrSplit(line, '|');
  for (std::string& cell : cells) absl::StripAsciiWhitespace(&cell);
  return cells;
}

}  // namespace

std::vector<Check> ReadChecks() {
  std::vector<Check> checks;
  for (const std::string& line : Lines()) {
    if (!absl::StartsWith(line, "| C") || !absl::ascii_isdigit(line[3])) continue;
    const std::vector<std::string> cells = Cells(line);
    CHECK_EQ(cells.size(), 5u) << line;
    checks.push_back({cells[0], cells[1], cells[4]});
  }
  return checks;
}

std::map<std::string, ByteTable> ReadByteTables() {
  std::map<std::string, ByteTable> tables;
  ByteTable* table = nullptr;
  for (const std::string& line : Lines()) {
    if (absl::string_view title = line; absl::ConsumePrefix(&title, "**")) {
      const std::vector<absl::string_view> words =
          absl::StrSplit(title, absl::ByAnyChar("*, "), absl::SkipEmpty());
      table = &tables[std::string(words[0])];
      CHECK(absl::SimpleAtoi(words[1], &table->size)) << line;
    }
    const std::vector<std::string> cells = Cells(line);
    size_t offset, size;
    if (cells.size() == 4 && absl::SimpleAtoi(cells[0], &offset) &&
        absl::SimpleAtoi(cells[1], &size) && absl::StartsWith(cells[2], "`")) {
      CHECK(table != nullptr) << line;
      table->fields[cells[2].substr(1, cells[2].size() - 2)] = {offset, size};
    }
  }
  return tables;
}

}  // namespace grpc_cxl::protocol_test
