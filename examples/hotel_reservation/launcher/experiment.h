// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_EXPERIMENT_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_EXPERIMENT_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "examples/hotel_reservation/launcher/cluster.h"
#include "examples/hotel_reservation/launcher/progress.h"
#include "examples/hotel_reservation/load_generator/result.pb.h"

namespace hotel_reservation {

struct Effort {
  double step_s = 1;    // length of a step
  double limit_s = 90;  // no pass begins that would end later
};

// Measures the clusters, each on another transport, and adds a TransportReport for each. A rough
// search finds where they stop to keep up. Then come passes (see AnotherPass()),
// each of them:
//   * a fine search for the highest load;
//   * a run with the same load for all, about half of the highest of the first cluster.
// In a last run with half of that load, a service is killed and started again. The clusters take
// turns after every step, so that a drift of the machine affects all alike.
absl::Status MeasureInTurns(const std::vector<std::unique_ptr<Cluster>>& clusters,
                            const Effort& effort, Progress& progress, Report& report);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_EXPERIMENT_H_
