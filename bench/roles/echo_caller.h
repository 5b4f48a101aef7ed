// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_ROLES_ECHO_CALLER_H_
#define GRPC_CXL_BENCH_ROLES_ECHO_CALLER_H_

#include <grpcpp/grpcpp.h>

#include <memory>

#include "bench/harness/control.pb.h"
#include "bench/roles/caller.h"

namespace grpc_cxl::bench {

// A caller of the echo service for the api, message size and payload class of `what`.
std::unique_ptr<Caller> MakeEchoCaller(std::shared_ptr<grpc::Channel> channel, const Case& what);

// Adds a deadline and two metadata entries, as calls in production have them.
void SetUpContext(grpc::ClientContext* context);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_ECHO_CALLER_H_
