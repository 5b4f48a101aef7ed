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

// A step of the ladder keeps up when no request fails and 99 of 100 take no longer than this.
inline constexpr double kP99LimitMs = 100;

// How long everything takes is proportional to `step_s`.
struct Effort {
  double step_s = 1;         // of one step of the ladder
  double first_per_s = 400;  // offered in its first step
};

// Measures the clusters, each on a transport of its own, and adds a TransportReport for each:
// the ladder, in which the offered load grows by 1.6 until the services do not keep up, and
// then twice halves the distance to the highest load with which they did; a run at the same
// load for all, half of the highest of the first cluster; and a run at half of that in which
// a service is killed and started again. They take turns after every step, so that a machine
// that drifts hurts all alike.
absl::Status MeasureInTurns(const std::vector<std::unique_ptr<Cluster>>& clusters,
                            const Effort& effort, Progress& progress, Report& report);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_EXPERIMENT_H_
