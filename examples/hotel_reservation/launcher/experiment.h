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

// The services keep up with a step of the ladder when no request fails and p99 is at most this.
inline constexpr double kP99LimitMs = 100;

// The duration of the whole experiment is proportional to `step_s`.
struct Effort {
  double step_s = 1;         // of a step of the ladder
  double first_per_s = 400;  // load offered in the first step
};

// Measures the clusters, each on another transport, and adds a TransportReport for each:
//   * the ladder: the offered load grows by 1.6 until the services do not keep up, and then twice
//     halves the distance to the highest load with which they did;
//   * a run with the same load for all, half of the highest of the first cluster;
//   * a run with half of that load in which a service is killed and started again.
// The clusters take turns after every step, so that a drift of the machine affects all alike.
absl::Status MeasureInTurns(const std::vector<std::unique_ptr<Cluster>>& clusters,
                            const Effort& effort, Progress& progress, Report& report);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_EXPERIMENT_H_
