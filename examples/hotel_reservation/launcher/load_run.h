// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_LOAD_RUN_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_LOAD_RUN_H_

#include <string>

#include "absl/status/statusor.h"
#include "examples/hotel_reservation/launcher/cluster.h"
#include "examples/hotel_reservation/load_generator/result.pb.h"

namespace hotel_reservation {

struct LoadOptions {
  double per_second = 0;
  double warmup_s = 0.5;
  double seconds = 1.5;
  std::string kill = {};    // service to kill and start again meanwhile; empty: none
  double kill_after_s = 0;  // roughly, into the measured time
  double deadline_s = 1;    // a request fails when it takes longer
  int scan = 0;             // searches at a time of a job beside it; 0: no job
  bool priorities = true;   // with a job: its calls are bulk, the others interactive
  double p99_limit_ms = 0;  // not 0: ends as soon as a request has failed or p99 must be above this
};

// Runs the load generator against the cluster. Has the errors of Cluster::Watch(). The result
// counts failed requests.
absl::StatusOr<LoadResult> RunLoad(Cluster& cluster, const LoadOptions& options);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_LOAD_RUN_H_
