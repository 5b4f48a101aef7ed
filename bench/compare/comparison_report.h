// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_COMPARE_COMPARISON_REPORT_H_
#define GRPC_CXL_BENCH_COMPARE_COMPARISON_REPORT_H_

#include <string>

#include "bench/compare/comparison.pb.h"

namespace grpc_cxl::bench {

// A text table with a row for every figure, and a line for every case that was skipped.
std::string ComparisonAsTable(const Comparison& comparison);

// The verdict as a sentence that says what to do.
std::string VerdictInWords(const Comparison& comparison);

// An HTML page: the verdict, the table, and the distributions of both builds for every figure.
std::string ComparisonAsHtml(const Comparison& comparison);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_COMPARE_COMPARISON_REPORT_H_
