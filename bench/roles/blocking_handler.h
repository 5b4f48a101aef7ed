#ifndef GRPC_CXL_BENCH_ROLES_BLOCKING_HANDLER_H_
#define GRPC_CXL_BENCH_ROLES_BLOCKING_HANDLER_H_

#include "absl/status/statusor.h"
#include "bench/harness/control.pb.h"
#include "bench/roles/workload.h"

namespace grpc_cxl::bench {

// In the client process: what calls by `caller` take while a handler, called by `blocker`,
// sleeps on the thread that gRPC called it on.
absl::StatusOr<HandlerBlocked> MeasureBlocking(Caller& caller, Caller& blocker,
                                               const BlockingHandler& what);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_BLOCKING_HANDLER_H_
