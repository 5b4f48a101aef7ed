// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_HARNESS_ONE_SERVICE_H_
#define GRPC_CXL_BENCH_HARNESS_ONE_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/harness/child_process.h"
#include "grpc_cxl/options.h"

namespace grpc_cxl::bench {

// The main() of a process with a server of one service, by direct calls: at the cxl: target `name`,
// or on a port of TCP where `options` have no rendezvous directory. Returns the exit code.
int ServeOne(grpc::Service& service, const std::string& name, const ServerOptions& options);

// Such a process.
struct OneService {
  std::unique_ptr<ChildProcess> process;
  std::string tcp_address;  // "127.0.0.1:PORT"
};
// `what` and `flags` are those of ChildProcess.
absl::StatusOr<OneService> StartOneService(std::string what, const std::vector<std::string>& flags);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_HARNESS_ONE_SERVICE_H_
