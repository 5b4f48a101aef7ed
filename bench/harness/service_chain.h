// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_HARNESS_SERVICE_CHAIN_H_
#define GRPC_CXL_BENCH_HARNESS_SERVICE_CHAIN_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bench/harness/child_process.h"
#include "bench/harness/control.pb.h"
#include "bench/harness/temporary_directory.h"

namespace grpc_cxl::bench {

// A chain of services, each in its own process and each a client of the next, and a client
// process that calls the first, or several at once. Over "inproc" all are in the client process.
// This object is in the coordinator.
//
// Used by one thread.
class ServiceChain {
 public:
  static absl::StatusOr<std::unique_ptr<ServiceChain>> Start(const std::string& transport,
                                                             const std::string& wait, int services);

  const Path& path() const { return path_; }  // of the first service

  // Runs a round of the api "chain" or "fan_out".
  absl::StatusOr<RoundResult> RunRound(const Round& round, absl::Duration timeout);

 private:
  explicit ServiceChain(TemporaryDirectory directory) : directory_(std::move(directory)) {}

  TemporaryDirectory directory_;
  Path path_;
  std::vector<std::unique_ptr<ChildProcess>> servers_;
  std::unique_ptr<ChildProcess> client_;  // ends first
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_HARNESS_SERVICE_CHAIN_H_
