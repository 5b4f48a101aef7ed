// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_ROLES_LATENCY_BREAKDOWN_H_
#define GRPC_CXL_BENCH_ROLES_LATENCY_BREAKDOWN_H_

#include "absl/status/statusor.h"
#include "bench/harness/control.pb.h"
#include "bench/roles/echo.grpc.pb.h"

namespace grpc_cxl::bench {

// In the client process: makes calls one after the other and returns the medians of their parts,
// without the first tenth of the calls.
absl::StatusOr<LatencyParts> MeasureLatencyBreakdown(Echo::Stub& stub,
                                                     const LatencyBreakdown& what);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_LATENCY_BREAKDOWN_H_
