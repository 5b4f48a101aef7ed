#ifndef GRPC_CXL_BENCH_BASELINE_BASELINE_H_
#define GRPC_CXL_BENCH_BASELINE_BASELINE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "bench/baseline/baseline.pb.h"

namespace grpc_cxl::bench {

// A ratio that was measured: what a call costs, divided by what it costs over tcp and unix
// in the same run. Below 1 is better than they are.
struct MeasuredRatio {
  std::string name;
  double ratio = 0;
};

// The machine that this process runs on.
Machine ThisMachine();

// Whether ratios of both can be compared: the same number of cores and the same processor.
bool SameKind(const Machine& a, const Machine& b);

// A baseline of several runs, one list of ratios each, all with the same names in the same
// order. The spread of a ratio is how far the highest run lies above the median; of four runs or
// more, the second highest, since one of them may have been disturbed. The tolerance is three
// times the spread, at least 0.35 and at most 0.6: a machine has worse hours than those in which
// it was measured (regression_set.h tells how much worse), and what is still slower by more after
// a second and a third look is no noise.
Baseline MakeBaseline(absl::Span<const std::vector<MeasuredRatio>> runs);

// NOT_FOUND or INVALID_ARGUMENT with a sentence that says how to make a good one.
absl::StatusOr<Baseline> ReadBaseline(const std::string& file);

enum class Verdict { kOk, kFaster, kSlower };

struct Comparison {
  std::string name;
  double old_ratio = 0, new_ratio = 0;
  double limit = 0;  // the highest ratio that is no regression
  Verdict verdict = Verdict::kOk;
};

// kFaster when the baseline is that much too high: worth an --update. INVALID_ARGUMENT when a
// ratio has no expectation.
absl::StatusOr<std::vector<Comparison>> Compare(const Baseline& baseline,
                                                absl::Span<const MeasuredRatio> measured);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_BASELINE_BASELINE_H_
