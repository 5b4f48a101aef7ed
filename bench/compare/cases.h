// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_COMPARE_CASES_H_
#define GRPC_CXL_BENCH_COMPARE_CASES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/report/report.pb.h"

namespace grpc_cxl::bench {

// Calls that the regression check measures, with one transport and wait policy: a run of rpc_bench.
struct ComparedCase {
  std::string name;                // "direct 64 B": no comma, which separates them in a flag
  std::vector<std::string> flags;  // which rpc_bench has had for long
};

// A case for each part of the library that could become slower. HTTP/2 with many calls in flight is
// not among them: its p50 jumps by a factor of 4 between runs of one build.
const std::vector<ComparedCase>& ComparedCases();

// Those whose name begins with one of `prefixes`; all without any.
absl::StatusOr<std::vector<ComparedCase>> ComparedCases(const std::vector<std::string>& prefixes);

// Runs `program`, an rpc_bench, on a case for about `seconds`, with new processes.
// FAILED_PRECONDITION when it fails; CANCELLED after Ctrl-C. Writes a file to `directory`.
absl::StatusOr<Row> RunCase(const std::string& program, const ComparedCase& what, double seconds,
                            const std::string& directory);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_COMPARE_CASES_H_
