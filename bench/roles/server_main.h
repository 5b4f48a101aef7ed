// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_ROLES_SERVER_MAIN_H_
#define GRPC_CXL_BENCH_ROLES_SERVER_MAIN_H_

namespace grpc_cxl::bench {

// The main() of a server process: serves the echo service on the path that the first request
// names, until the coordinator hangs up or dies. Removes its sockets and the path's directory;
// when this process is killed, the coordinator removes them. Returns the exit code.
int ServerMain();

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_SERVER_MAIN_H_
