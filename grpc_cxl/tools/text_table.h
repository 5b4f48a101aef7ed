// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TOOLS_TEXT_TABLE_H_
#define GRPC_CXL_TOOLS_TEXT_TABLE_H_

#include <cstddef>
#include <string>
#include <vector>

namespace grpc_cxl::internal {

// A table for a terminal: as many of the columns as its width has space for.
class TextTable {
 public:
  struct Column {
    std::string title;
    bool right = false;  // aligned; else left
    size_t most = 24;    // characters; longer texts lose their middle
    // Columns with larger numbers go first when there is no space; before that, those that may
    // shrink do, down to 16 characters.
    int rank = 0;
    bool shrinks = false;
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // One cell for each column.
  void AddRow(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  size_t rows() const { return rows_.size(); }

  // Lines of at most `width` characters; 0: of any length. The first column stays in any case.
  std::string Text(size_t width) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// `text`, or its ends with ".." between them if it has more than `most` characters.
std::string Shortened(const std::string& text, size_t most);

// `text` in lines of at most `width` characters, one at least: between words where there are any.
std::vector<std::string> Wrapped(const std::string& text, size_t width);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TOOLS_TEXT_TABLE_H_
