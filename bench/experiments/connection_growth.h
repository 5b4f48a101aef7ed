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
  absl::Status end;  // why there are no more connections; OK when all could be had
};

// Opens more and more connections, up to each of `counts` (ascending, from 1), and measures at
// each. The kernel's own memory for sockets is not counted. An error when not even the first
// connection can be had.
absl::StatusOr<ConnectionGrowth> MeasureGrowth(const ProcessPairOptions& options,
                                               absl::Span<const uint32_t> counts);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_EXPERIMENTS_CONNECTION_GROWTH_H_
