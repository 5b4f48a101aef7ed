// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_ROLES_ECHO_SERVICE_H_
#define GRPC_CXL_BENCH_ROLES_ECHO_SERVICE_H_

#include <grpcpp/impl/service_type.h>

#include <memory>
#include <string>

#include "bench/roles/echo.grpc.pb.h"

namespace grpc_cxl::bench {

// The service of echo.proto, written in the "callback" or the "sync" API.
std::unique_ptr<grpc::Service> MakeEchoService(const std::string& api);

// Bytes that grpc_cxl has moved and copied in this process.
Counters CountersOfThisProcess();

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_ECHO_SERVICE_H_
