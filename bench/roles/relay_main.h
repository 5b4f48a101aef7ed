// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_ROLES_RELAY_MAIN_H_
#define GRPC_CXL_BENCH_ROLES_RELAY_MAIN_H_

namespace grpc_cxl::bench {

// The main() of a service and of the client of a chain (service_chain.h). Both return the exit
// code.
int RelayServerMain();
int RelayClientMain();

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_RELAY_MAIN_H_
