// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_ROLES_FAULT_CLIENT_H_
#define GRPC_CXL_BENCH_ROLES_FAULT_CLIENT_H_

namespace grpc_cxl::bench {

// The main() of the client process of `rpc_bench --faults`: kills the server while calls are in
// flight, then calls its successor over the same channel. Returns the exit code.
int FaultClientMain();

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_FAULT_CLIENT_H_
