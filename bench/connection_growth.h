#ifndef GRPC_CXL_BENCH_CONNECTION_GROWTH_H_
#define GRPC_CXL_BENCH_CONNECTION_GROWTH_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "bench/lane.h"

namespace grpc_cxl::bench {

// What a number of connections between one client and one server process costs.
struct ConnectionCost {
  uint32_t connections = 0;
  double connect_ms = 0, longest_connect_ms = 0;  // median and longest, of those that came new
  // Bytes that each connection beyond the first has added.
  double server_bytes = 0, client_bytes = 0;  // private memory
  double arena_bytes = 0;                     // shared memory, which both processes map
  // Milliseconds of CPU time a second while nobody calls.
  double server_idle_ms_per_s = 0, client_idle_ms_per_s = 0;
  double p50_us = 0;  // of 64-byte calls on one connection while the others rest
};

struct ConnectionGrowth {
  std::vector<ConnectionCost> costs;
  absl::Status end;  // why there are no more connections; OK when all could be had
};

// Opens more and more connections, up to each of `counts` (ascending, from 1), and measures at
// each. The kernel's own memory for sockets is not counted. An error when not even the first
// connection can be had.
absl::StatusOr<ConnectionGrowth> MeasureGrowth(const LaneOptions& options,
                                               absl::Span<const uint32_t> counts);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_CONNECTION_GROWTH_H_
