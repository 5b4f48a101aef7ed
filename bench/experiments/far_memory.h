// SPDX-License-Identifier: Apache-2.0
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

// Calls through emulated memory that is further away than local memory, or not coherent.

// Each cxl contender with each preset of MemoryDistance and each of "coherent" and "flush"; other
// contenders, like tcp, unchanged. INVALID_ARGUMENT for an unknown name.
absl::StatusOr<std::vector<ProcessPairOptions>> OnEachMemory(
    absl::Span<const ProcessPairOptions> contenders, const std::vector<std::string>& presets,
    const std::vector<std::string>& coherences);

// Measures `cases` on each pair in interleaved rounds, and prints a table per case. Its column
// "memory us" is the time per call that both processes waited for the emulated memory. With
// coherent memory they wait only for words that have changed. In flush mode they also wait while
// they poll in vain, so that the sum may exceed the latency of the call.
absl::Status MeasureFarMemory(absl::Span<const ProcessPairOptions> pairs,
                              absl::Span<const Case> cases, const Effort& effort);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_EXPERIMENTS_FAR_MEMORY_H_
