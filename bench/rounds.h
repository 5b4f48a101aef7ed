#ifndef GRPC_CXL_BENCH_ROUNDS_H_
#define GRPC_CXL_BENCH_ROUNDS_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "bench/control.pb.h"
#include "bench/lane.h"
#include "bench/report.pb.h"

namespace grpc_cxl::bench {

// How long to measure: `rounds` times `seconds`, or times `calls` when that is not 0.
struct Effort {
  int rounds = 0;
  double seconds = 0;
  uint64_t calls = 0;
};

// Measures `what` on every lane in turn, round after round (A B C A B C ...), so that a
// machine that drifts hurts all alike, and returns the medians over the rounds: one row a
// lane, in their order. The first error ends it.
absl::StatusOr<std::vector<Row>> MeasureInRounds(absl::Span<const std::unique_ptr<Lane>> lanes,
                                                 const Case& what, const Effort& effort);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROUNDS_H_
