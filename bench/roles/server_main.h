#ifndef GRPC_CXL_BENCH_ROLES_SERVER_MAIN_H_
#define GRPC_CXL_BENCH_ROLES_SERVER_MAIN_H_

#include "bench/roles/workload.h"

namespace grpc_cxl::bench {

// The main() of a server process: serves `workload` on the path it is told, until the
// coordinator hangs up or dies. Leaves neither sockets nor the path's directory behind
// (unless it is killed; then the coordinator removes them). Returns the exit code.
int ServerMain(Workload& workload);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_SERVER_MAIN_H_
