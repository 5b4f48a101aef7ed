// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_ROLES_ECHO_SERVICE_H_
#define GRPC_CXL_BENCH_ROLES_ECHO_SERVICE_H_

#include <grpcpp/impl/service_type.h>

#include <memory>

#include "bench/harness/control.pb.h"
#include "bench/roles/echo.grpc.pb.h"

namespace grpc_cxl::bench {

// The service of echo.proto, as the server of `path` runs it.
std::unique_ptr<grpc::Service> MakeEchoService(const Path& path);

// Bytes that grpc_cxl has moved and copied in this process.
Counters CountersOfThisProcess();

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_ECHO_SERVICE_H_
