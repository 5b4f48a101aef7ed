// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_EXPERIMENTS_IDLE_H_
#define GRPC_CXL_BENCH_EXPERIMENTS_IDLE_H_

#include "absl/status/statusor.h"
#include "bench/harness/control.pb.h"
#include "bench/harness/process_pair.h"

namespace grpc_cxl::bench {

// CPU time of an idle server and client process, in milliseconds per second, before and after
// `connections` connections between them were opened and used once.
struct IdleCost {
  double server_before = 0, client_before = 0;
  double server_after = 0, client_after = 0;
};

// CPU time that both processes of a pair take while idle for `seconds`, after they have settled.
absl::StatusOr<Rested> RestWhenSettled(ProcessPair& pair, double seconds);

absl::StatusOr<IdleCost> MeasureIdle(const ProcessPairOptions& options, int connections,
                                     double seconds);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_EXPERIMENTS_IDLE_H_
