#ifndef GRPC_CXL_BENCH_EXPERIMENTS_ROUNDS_H_
#define GRPC_CXL_BENCH_EXPERIMENTS_ROUNDS_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "bench/harness/control.pb.h"
#include "bench/harness/process_pair.h"
#include "bench/report/report.pb.h"

namespace grpc_cxl::bench {

// Pairs of processes that run at the same time: what one contender is measured on.
using PairGroup = std::vector<std::unique_ptr<ProcessPair>>;

// How long to measure: `rounds` times `seconds`, or times `calls` when that is not 0.
struct Effort {
  int rounds = 0;
  double seconds = 0;
  uint64_t calls = 0;
  bool count_syscalls = false;  // slows every system call down a little
};

// Measures `what` on every group in turn, round after round (A B C A B C ...), so that a
// machine that drifts hurts all alike, and returns the medians over the rounds: one row a
// group, in their order. Of several pairs, a round's p50 is the median of theirs, its p99 the
// worst of theirs, its calls per second the sum. The first error ends it.
absl::StatusOr<std::vector<Row>> MeasureInRounds(absl::Span<PairGroup* const> groups,
                                                 const Case& what, const Effort& effort);

// The row of a contender on `path`: medians over its rounds, of which there is at least one.
Row MakeRow(const Path& path, const Case& what, const std::vector<RoundResult>& results,
            double memcpy_bytes_per_s);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_EXPERIMENTS_ROUNDS_H_
