// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_ROLES_CLIENT_MAIN_H_
#define GRPC_CXL_BENCH_ROLES_CLIENT_MAIN_H_

namespace grpc_cxl::bench {

// The main() of a client process: calls the echo service and measures. Returns the exit code.
int ClientMain();

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_CLIENT_MAIN_H_
