// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_EXPERIMENTS_SPECIAL_EXPERIMENTS_H_
#define GRPC_CXL_BENCH_EXPERIMENTS_SPECIAL_EXPERIMENTS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "bench/harness/process_pair.h"

namespace grpc_cxl::bench {

// Experiments of rpc_bench besides rounds of calls. Each function measures one contender after the
// other, with processes of its own, and prints a table.

// The server is killed while calls are in flight, and started again; medians of `times`.
absl::Status PrintFaults(absl::Span<const ProcessPairOptions> contenders, int times);

// Calls while a handler sleeps on the thread that gRPC called it on; medians of `times`.
absl::Status PrintBlockingHandler(absl::Span<const ProcessPairOptions> contenders, int times);

// The parts of a call: to the handler, in it, and back; medians of `calls`.
absl::Status PrintLatencyBreakdown(absl::Span<const ProcessPairOptions> contenders, uint32_t calls);

// CPU time of idle processes in `seconds`, without and with `connections` connections.
absl::Status PrintIdle(absl::Span<const ProcessPairOptions> contenders, int connections,
                       double seconds);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_EXPERIMENTS_SPECIAL_EXPERIMENTS_H_
