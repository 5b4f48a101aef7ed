// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_REPORT_MEDIANS_H_
#define GRPC_CXL_BENCH_REPORT_MEDIANS_H_

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"

namespace grpc_cxl::bench {

// The figures of several runs of one kind. The upper one of two medians counts; 0 without runs.
template <typename Figures>
class Medians {
 public:
  void Add(const Figures& run) { runs_.push_back(run); }

  double Of(double Figures::*figure) const {
    std::vector<double> values;
    for (const Figures& run : runs_) values.push_back(run.*figure);
    const size_t middle = values.size() / 2;
    if (values.empty()) return 0;
    std::nth_element(values.begin(), values.begin() + middle, values.end());
    return values[middle];
  }
  // For a table.
  std::string Text(double Figures::*figure, int digits = 2) const {
    return absl::StrFormat("%.*f", digits, Of(figure));
  }
  std::string Percent(double Figures::*figure) const {
    return absl::StrFormat("%.0f %%", 100 * Of(figure));
  }
  std::string Ratio(double Figures::*figure, const Medians& to) const {
    return to.Of(figure) == 0 ? "-" : absl::StrFormat("%.2f", Of(figure) / to.Of(figure));
  }

 private:
  std::vector<Figures> runs_;
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_REPORT_MEDIANS_H_
