#ifndef GRPC_CXL_BENCH_ROLES_LATENCY_BREAKDOWN_H_
#define GRPC_CXL_BENCH_ROLES_LATENCY_BREAKDOWN_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "bench/harness/control.pb.h"
#include "bench/roles/workload.h"

namespace grpc_cxl::bench {

// In the client process: the medians of the parts of `calls` calls by `caller`, the first
// tenth left out.
absl::StatusOr<BrokenDown> MeasureParts(Caller& caller, uint32_t calls);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_LATENCY_BREAKDOWN_H_
