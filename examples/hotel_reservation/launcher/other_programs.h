// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_OTHER_PROGRAMS_H_
#define GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_OTHER_PROGRAMS_H_

#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "examples/hotel_reservation/launcher/cluster.h"

namespace hotel_reservation {

// How much of the machine other programs, and other virtual machines on it, take from the
// experiment.
class OtherPrograms {
 public:
  // Begins to count.
  explicit OtherPrograms(const std::vector<std::unique_ptr<Cluster>>& clusters);

  // Their share of the CPU time of all cores since then; 0 where the kernel does not tell.
  // REQUIRES: no service was started again meanwhile.
  double Share() const;

 private:
  absl::Duration Now() const;  // CPU time of others so far, up to a constant

  const std::vector<std::unique_ptr<Cluster>>& clusters_;
  const absl::Time start_;
  const absl::Duration used_at_start_;
};

}  // namespace hotel_reservation

#endif  // GRPC_CXL_EXAMPLES_HOTEL_RESERVATION_LAUNCHER_OTHER_PROGRAMS_H_
