// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_COMPARE_SESSION_H_
#define GRPC_CXL_BENCH_COMPARE_SESSION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bench/compare/cases.h"
#include "bench/compare/comparison.pb.h"

namespace grpc_cxl::bench {

struct SessionOptions {
  std::string program_a, program_b;  // builds of rpc_bench: the older one, the new one
  std::vector<ComparedCase> cases;
  double seconds = 0.15;  // of a run
  absl::Duration budget = absl::Minutes(4);
  std::string directory;  // for files
};

// The words of a ComparedFigure and of a Comparison.
inline constexpr char kSlowerFigure[] = "SLOWER", kUndecidedFigure[] = "undecided";
inline constexpr char kNoRegression[] = "no regression", kRegression[] = "regression",
                      kTooNoisy[] = "too noisy to tell";

// Runs both builds in turn, case by case, until every case is decided, by a figure that is slower
// or by all of them, or the budget is used up. All pairs have new processes, so that what is
// settled when a process starts counts as noise. Skips cases that the older build cannot run.
// FAILED_PRECONDITION when the new one cannot, or none is left; CANCELLED after Ctrl-C.
absl::StatusOr<Comparison> Compare(const SessionOptions& options);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_COMPARE_SESSION_H_
