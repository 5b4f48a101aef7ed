#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_EXPERIMENT_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_EXPERIMENT_H_

#include <string>

#include "absl/status/statusor.h"
#include "examples/hotel_reservation/launcher/cluster.h"
#include "examples/hotel_reservation/launcher/progress.h"
#include "examples/hotel_reservation/load_generator/result.pb.h"

namespace hotel_reservation {

// A step of the ladder keeps up when no request fails and 99 of 100 take no longer than this.
inline constexpr double kP99LimitMs = 100;

// How long everything takes is proportional to `step_s`.
struct Effort {
  double step_s = 1.25;      // of one step of the ladder
  double first_per_s = 400;  // offered in its first step
};

// Measures one transport: the ladder, in which the offered load grows by 1.6 until the
// services do not keep up, and then twice halves the distance to the highest load with which
// they did; a run at `same_load_per_s` (0: half of the highest load); and a run at half of
// that in which a service is killed and started again.
absl::StatusOr<TransportReport> MeasureTransport(Cluster& cluster, const Effort& effort,
                                                 double same_load_per_s, Progress& progress);

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_EXPERIMENT_H_
