// SPDX-License-Identifier: Apache-2.0
#include "test/protocol/document.h"

#include <fstream>
#include <regex>

#include "absl/log/check.h"

namespace grpc_cxl::protocol_test {
namespace {

std::vector<std::string> Lines() {
  std::ifstream file("docs/protocol.md");  // among the runfiles, where Bazel starts tests
  CHECK(file.is_open());
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

}  // namespace

std::vector<Check> ReadChecks() {
  const std::regex row(R"(\| (C\d+) \| (\w+) \|.*\| ([^|]+) \|)");
  std::vector<Check> checks;
  std::smatch match;
  for (const std::string& line : Lines()) {
    if (std::regex_match(line, match, row)) checks.push_back({match[1], match[2], match[3]});
  }
  return checks;
}

std::map<std::string, ByteTable> ReadByteTables() {
  const std::regex title(R"(\*\*(\w+)\*\*, (\d+) bytes.*)");
  const std::regex row(R"(\| (\d+) \| (\d+) \| `(\w+)` \|.*)");
  std::map<std::string, ByteTable> tables;
  ByteTable* table = nullptr;
  std::smatch match;
  for (const std::string& line : Lines()) {
    if (std::regex_match(line, match, title)) {
      table = &tables[match[1]];
      table->size = std::stoul(match[2]);
    } else if (std::regex_match(line, match, row)) {
      CHECK(table != nullptr) << line;
      table->fields[match[3]] = {std::stoul(match[1]), std::stoul(match[2])};
    }
  }
  return tables;
}

}  // namespace grpc_cxl::protocol_test
