// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_ROLES_BLOCKING_HANDLER_H_
#define GRPC_CXL_BENCH_ROLES_BLOCKING_HANDLER_H_

#include <memory>

#include "absl/status/statusor.h"
#include "bench/harness/control.pb.h"
#include "bench/roles/echo.grpc.pb.h"

namespace grpc_cxl::bench {

// In the client process: the latency of calls on `channel` while a handler sleeps on the thread
// that gRPC called it on.
absl::StatusOr<HandlerBlocked> MeasureBlockingHandler(std::shared_ptr<grpc::Channel> channel,
                                                      const BlockingHandler& what);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_BLOCKING_HANDLER_H_
