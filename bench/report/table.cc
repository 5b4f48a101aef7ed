// SPDX-License-Identifier: Apache-2.0
#include "bench/report/table.h"

#include <algorithm>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/str_format.h"

namespace grpc_cxl::bench {

Table::Table(std::vector<std::string> columns, size_t words) : words_(words) {
  rows_.push_back(std::move(columns));
}

void Table::AddRow(std::vector<std::string> cells) {
  CHECK_EQ(cells.size(), rows_.front().size());
  rows_.push_back(std::move(cells));
}

std::string Table::ToString() const {
  std::string text;
  for (const std::vector<std::string>& row : rows_) {
    for (size_t column = 0; column < row.size(); ++column) {
      size_t width = 0;
      for (const auto& other : rows_) width = std::max(width, other[column].size());
      // A negative width aligns left.
      const int signed_width = static_cast<int>(width) * (column < words_ ? -1 : 1);
      absl::StrAppendFormat(&text, "%s%*s", column == 0 ? "" : "  ", signed_width, row[column]);
    }
    text += '\n';
  }
  return text;
}

}  // namespace grpc_cxl::bench
