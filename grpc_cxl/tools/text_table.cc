// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/tools/text_table.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kLeast = 16;  // of a column that shrinks

}  // namespace

std::string Shortened(const std::string& text, size_t most) {
  if (text.size() <= most) return text;
  if (most < 4) return text.substr(0, most);
  const size_t tail = (most - 2) / 2;
  return absl::StrCat(text.substr(0, most - 2 - tail), "..", text.substr(text.size() - tail));
}

std::vector<std::string> Wrapped(const std::string& text, size_t width) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    size_t size = std::min(width, text.size() - at);
    const size_t space = text.rfind(' ', at + size);
    if (at + size < text.size() && space != text.npos && space > at) size = space - at;
    lines.push_back(text.substr(at, size));
    at += size;
    at += text[at] == ' ';
  }
  return lines;
}

std::string TextTable::Text(size_t width) const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t widest = columns_[i].title.size();
    for (const auto& row : rows_) widest = std::max(widest, row[i].size());
    widths.push_back(std::max(columns_[i].title.size(), std::min(widest, columns_[i].most)));
  }
  std::vector<size_t> shown(columns_.size());
  std::iota(shown.begin(), shown.end(), 0);
  const auto total = [&] {
    size_t all = shown.size() - 1;
    for (const size_t i : shown) all += widths[i];
    return all;
  };
  for (size_t i = 0; i < columns_.size() && width > 0; ++i) {
    const size_t all = total();
    if (!columns_[i].shrinks || all <= width || widths[i] <= kLeast) continue;
    widths[i] = std::max(kLeast, widths[i] - std::min(widths[i], all - width));
  }
  while (width > 0 && shown.size() > 1 && total() > width) {
    shown.erase(std::max_element(shown.begin() + 1, shown.end(), [this](size_t a, size_t b) {
      return columns_[a].rank < columns_[b].rank;
    }));
  }
  std::string text;
  const auto add_line = [&](auto cell) {
    std::string line;
    for (const size_t i : shown) {
      const std::string shortened = Shortened(cell(i), widths[i]);
      const std::string space(widths[i] - shortened.size(), ' ');
      absl::StrAppend(&line, i == shown.front() ? "" : " ", columns_[i].right ? space : "",
                      shortened, columns_[i].right ? "" : space);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, line, "\n");
  };
  add_line([this](size_t i) { return columns_[i].title; });
  for (const auto& row : rows_) add_line([&row](size_t i) { return row[i]; });
  return text;
}

}  // namespace grpc_cxl::internal
