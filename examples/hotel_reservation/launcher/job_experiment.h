// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_JOB_EXPERIMENT_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_JOB_EXPERIMENT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "examples/hotel_reservation/launcher/cluster.h"
#include "examples/hotel_reservation/launcher/progress.h"
#include "examples/hotel_reservation/load_generator/result.pb.h"

namespace hotel_reservation {

struct JobOptions {
  int searches = 32;        // of the job, at a time
  double per_second = 600;  // requests of the others
  double run_s = 10;        // length of a run
  int rounds = 5;
};

// The runs of a round, in their order.
struct JobRound {
  LoadResult alone;    // no job
  LoadResult urgent;   // the job's calls are bulk, the others interactive
  LoadResult alike;    // no priorities
  LoadResult without;  // neither priorities nor a capacity
};

// What a job that searches without a pause costs the other requests, and what their priority costs
// the job. `limited` has a capacity, `unlimited` has none; else they are alike. Each round makes
// all runs, so that a drift of the machine affects all alike. Has the errors of RunLoad().
absl::StatusOr<std::vector<JobRound>> MeasureJob(Cluster& limited, Cluster& unlimited,
                                                 const JobOptions& options, Progress& progress);

// A table of medians; ratios compare runs of one round.
std::string JobTable(absl::string_view title, const std::vector<JobRound>& rounds);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_JOB_EXPERIMENT_H_
