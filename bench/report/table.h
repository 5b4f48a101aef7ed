#ifndef GRPC_CXL_BENCH_REPORT_TABLE_H_
#define GRPC_CXL_BENCH_REPORT_TABLE_H_

#include <string>
#include <vector>

namespace grpc_cxl::bench {

// A table in plain text: the first columns of words flush left, the rest flush right.
class Table {
 public:
  // The first `words` of the `columns` hold words, the others numbers.
  Table(std::vector<std::string> columns, size_t words);

  // As many cells as there are columns.
  void AddRow(std::vector<std::string> cells);

  // Title line and rows, each ended by a newline.
  std::string ToString() const;

 private:
  const size_t words_;
  std::vector<std::vector<std::string>> rows_;  // the first one is the title
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_REPORT_TABLE_H_
