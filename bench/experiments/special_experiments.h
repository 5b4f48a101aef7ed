#ifndef GRPC_CXL_BENCH_EXPERIMENTS_SPECIAL_EXPERIMENTS_H_
#define GRPC_CXL_BENCH_EXPERIMENTS_SPECIAL_EXPERIMENTS_H_

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "bench/harness/process_pair.h"

namespace grpc_cxl::bench {

// What rpc_bench measures instead of rounds of calls: each function starts the pairs that it
// needs, one contender after the other, and prints a table.

// A server killed under calls in flight, and its successor; medians of `times`.
absl::Status PrintFaults(absl::Span<const ProcessPairOptions> contenders, int times);

// Calls while a handler sleeps on the thread that it was called on; medians of `times`.
absl::Status PrintBlocking(absl::Span<const ProcessPairOptions> contenders, int times);

// Where the time of a call goes.
absl::Status PrintParts(absl::Span<const ProcessPairOptions> contenders);

// CPU time of processes that make no call, without and with so many connections.
absl::Status PrintIdle(absl::Span<const ProcessPairOptions> contenders, int connections);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_EXPERIMENTS_SPECIAL_EXPERIMENTS_H_
