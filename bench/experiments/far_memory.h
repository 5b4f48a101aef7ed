#ifndef GRPC_CXL_BENCH_EXPERIMENTS_FAR_MEMORY_H_
#define GRPC_CXL_BENCH_EXPERIMENTS_FAR_MEMORY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "bench/experiments/rounds.h"
#include "bench/harness/control.pb.h"
#include "bench/harness/process_pair.h"

namespace grpc_cxl::bench {

// What calls cost when the arena is further away than it is here, or not coherent.

// One of `transports` on one kind of memory: a preset of MemoryDistance and "coherent" or
// "flush". The others, tcp for example, stand for themselves, once. INVALID_ARGUMENT when a
// name is not known.
absl::StatusOr<std::vector<ProcessPairOptions>> OnEachMemory(
    absl::Span<const ProcessPairOptions> contenders, const std::vector<std::string>& presets,
    const std::vector<std::string>& coherences);

// Measures `cases` on each pair in turns, and prints a table a case. "memory" is what both
// processes waited for the emulated memory in a call: in the way of the call where memory is
// coherent, since only words that have changed are waited for; in flush mode also while they
// poll and nothing is there yet, so that it may be more than the call took.
absl::Status MeasureFarMemory(absl::Span<const ProcessPairOptions> pairs,
                              absl::Span<const Case> cases, const Effort& effort);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_EXPERIMENTS_FAR_MEMORY_H_
