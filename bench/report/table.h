// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_REPORT_TABLE_H_
#define GRPC_CXL_BENCH_REPORT_TABLE_H_

#include <string>
#include <vector>

namespace grpc_cxl::bench {

// A plain-text table.
class Table {
 public:
  // The first `words` columns are aligned left, the others, which hold numbers, right.
  Table(std::vector<std::string> columns, size_t words);

  // REQUIRES: as many cells as there are columns.
  void AddRow(std::vector<std::string> cells);

  // The titles and the rows, a line each.
  std::string ToString() const;

 private:
  const size_t words_;
  std::vector<std::vector<std::string>> rows_;  // the titles are the first
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_REPORT_TABLE_H_
