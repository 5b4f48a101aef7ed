// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_BASELINE_BASELINE_H_
#define GRPC_CXL_BENCH_BASELINE_BASELINE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "bench/baseline/baseline.pb.h"

namespace grpc_cxl::bench {

// The cost of a call divided by its cost over tcp and unix in the same run.
struct MeasuredRatio {
  std::string name;
  double ratio = 0;
};

Machine ThisMachine();

// Whether ratios of both machines can be compared: same number of cores, same processor.
bool SameKind(const Machine& a, const Machine& b);

// A baseline from the ratios of several runs, which have the same names in the same order. The
// spread of a ratio is the distance of the highest run from the median; with four runs or more, of
// the second highest, since another program may have disturbed one run. The tolerance is three
// times the spread, at least 0.35 and at most 0.6, because the machine may be busier later
// (regression_set.h has figures) and a slower case counts only when two more measurements agree.
Baseline MakeBaseline(absl::Span<const std::vector<MeasuredRatio>> runs);

// NOT_FOUND or INVALID_ARGUMENT; the text says how to measure a baseline.
absl::StatusOr<Baseline> ReadBaseline(const std::string& file);

enum class Verdict { kOk, kFaster, kSlower };

struct Comparison {
  std::string name;
  double old_ratio = 0, new_ratio = 0;
  double limit = 0;  // the highest ratio that is not a regression
  Verdict verdict = Verdict::kOk;
};

// kSlower above the limit; kFaster below the old ratio by the same factor, so that the baseline
// wants an --update. INVALID_ARGUMENT for a ratio that the baseline does not have.
absl::StatusOr<std::vector<Comparison>> Compare(const Baseline& baseline,
                                                absl::Span<const MeasuredRatio> measured);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_BASELINE_BASELINE_H_
