#ifndef GRPC_CXL_BENCH_ROLES_RELAY_MAIN_H_
#define GRPC_CXL_BENCH_ROLES_RELAY_MAIN_H_

namespace grpc_cxl::bench {

// The main()s of the processes of a chain (service_chain.h); they return the exit code.
int RelayServerMain();
int RelayClientMain();

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_RELAY_MAIN_H_
