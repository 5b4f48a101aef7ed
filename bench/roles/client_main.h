#ifndef GRPC_CXL_BENCH_ROLES_CLIENT_MAIN_H_
#define GRPC_CXL_BENCH_ROLES_CLIENT_MAIN_H_

#include "bench/roles/workload.h"

namespace grpc_cxl::bench {

// The main() of a client process: measures rounds of calls, opens idle connections, rests.
// Returns the exit code.
int ClientMain(Workload& workload);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_CLIENT_MAIN_H_
