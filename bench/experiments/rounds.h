// SPDX-License-Identifier: Apache-2.0
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

// The process pairs of one contender, which run at the same time.
using PairGroup = std::vector<std::unique_ptr<ProcessPair>>;

// How long to measure.
struct Effort {
  int rounds = 0;
  double seconds = 0;           // of a turn
  uint64_t calls = 0;           // of a turn, instead of `seconds`, unless 0
  bool count_syscalls = false;  // slows every system call down a little
};

// Measures `what` on every group in turn, round after round (A B C A B C ...), so that a drift of
// the machine affects all alike. Returns a row per group, in their order, with medians over the
// rounds. The p50 of several pairs is their median, their p99 the highest, their calls per second
// the sum. Stops at the first error.
absl::StatusOr<std::vector<Row>> MeasureInRounds(absl::Span<PairGroup* const> groups,
                                                 const Case& what, const Effort& effort);

// The row of a contender on `path`: medians over its rounds. REQUIRES: `results` is not empty.
Row MakeRow(const Path& path, const Case& what, const std::vector<RoundResult>& results,
            double memcpy_bytes_per_s);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_EXPERIMENTS_ROUNDS_H_
