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

// A chain of services, each in a process of its own and each a client of the next, and a
// client process that calls the first of them, or several at once. Over "inproc" all of them
// are in the client process. Seen from the coordinator.
//
// Used by one thread.
class ServiceChain {
 public:
  static absl::StatusOr<std::unique_ptr<ServiceChain>> Start(const std::string& transport,
                                                             const std::string& wait, int services);

  const Path& path() const { return path_; }  // of the first service

  // One round of the api "chain" or "fan_out", with as many services as `what` says.
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
