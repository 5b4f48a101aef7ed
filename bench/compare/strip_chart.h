// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_COMPARE_STRIP_CHART_H_
#define GRPC_CXL_BENCH_COMPARE_STRIP_CHART_H_

#include <string>
#include <vector>

namespace grpc_cxl::bench {

// Distributions below each other on one axis, as an SVG element: a dot for every value, a line
// through the median. The page styles the text and the classes `grid` and `range`.
struct StripChart {
  struct Strip {
    std::string name;
    std::string color;  // in CSS
    std::vector<double> values;
    double median;
  };

  std::string title;          // quantity and unit
  std::vector<Strip> strips;  // at least one value in all

  std::string ToString() const;
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_COMPARE_STRIP_CHART_H_
