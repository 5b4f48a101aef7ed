// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_EXPERIMENTS_FAULTS_H_
#define GRPC_CXL_BENCH_EXPERIMENTS_FAULTS_H_

#include "absl/status/statusor.h"
#include "bench/harness/process_pair.h"

namespace grpc_cxl::bench {

struct FaultTimes {
  // Medians over the rounds.
  double calls_ended_ms = 0;  // from the kill until the last call had ended
  double down_ms = 0;         // from the kill until the new server listened
  double found_again_ms = 0;  // from then until a call succeeded
  // Sums over the rounds.
  int calls = 0;        // in flight at the kill
  int unavailable = 0;  // of these, calls that ended UNAVAILABLE
};

// Kills the server of a pair with SIGKILL while 100 calls are in flight and starts another on the
// same address: `rounds` times, with new processes each time.
absl::StatusOr<FaultTimes> MeasureFaults(const ProcessPairOptions& options, int rounds);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_EXPERIMENTS_FAULTS_H_
