#ifndef GRPC_CXL_BENCH_EXPERIMENTS_BLOCKED_H_
#define GRPC_CXL_BENCH_EXPERIMENTS_BLOCKED_H_

#include "absl/status/statusor.h"
#include "bench/harness/control.pb.h"
#include "bench/harness/process_pair.h"

namespace grpc_cxl::bench {

// What calls take while a handler sleeps for `seconds` on the thread it is called on,
// measured `times` times.
absl::StatusOr<HandlerBlocked> MeasureBlocked(const ProcessPairOptions& options, int times,
                                              double seconds);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_EXPERIMENTS_BLOCKED_H_
