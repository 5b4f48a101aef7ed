// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_EXPERIMENTS_CONNECTION_GROWTH_H_
#define GRPC_CXL_BENCH_EXPERIMENTS_CONNECTION_GROWTH_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "bench/harness/process_pair.h"
#include "bench/report/report.pb.h"

namespace grpc_cxl::bench {

struct ConnectionGrowth {
  std::vector<ConnectionCost> costs;
  absl::Status end;  // why there are fewer connections than wanted; OK if there are not
};

// Opens connections until there are as many as each of `counts` (ascending, from 1), and measures
// at each. Does not count the kernel's memory for sockets. An error when the first connection
// fails. Measures idle CPU time over `idle_seconds`.
absl::StatusOr<ConnectionGrowth> MeasureGrowth(const ProcessPairOptions& options,
                                               absl::Span<const uint32_t> counts,
                                               double idle_seconds);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_EXPERIMENTS_CONNECTION_GROWTH_H_
