#ifndef GRPC_CXL_BENCH_CALLS_BLOCK_HANDLER_H_
#define GRPC_CXL_BENCH_CALLS_BLOCK_HANDLER_H_

#include "absl/status/statusor.h"
#include "bench/calls/workload.h"
#include "bench/lanes/control.pb.h"

namespace grpc_cxl::bench {

// In the client process: what calls by `caller` take while a handler, called by `blocker`,
// sleeps on the thread that gRPC called it on.
absl::StatusOr<HandlerBlocked> MeasureBlocking(Caller& caller, Caller& blocker,
                                               const BlockHandler& what);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_CALLS_BLOCK_HANDLER_H_
