#ifndef GRPC_CXL_BENCH_EXPERIMENTS_FAULTS_H_
#define GRPC_CXL_BENCH_EXPERIMENTS_FAULTS_H_

#include "absl/status/statusor.h"
#include "bench/harness/process_pair.h"

namespace grpc_cxl::bench {

// Kills the server of a pair with SIGKILL under 100 calls in flight and starts a new
// one on the same address, `rounds` times, each time with fresh processes.
struct FaultTimes {
  // Medians, in milliseconds.
  double calls_ended_ms = 0;  // from the kill until the last of the calls had ended
  double found_again_ms = 0;  // from the new server listening until a call succeeded
  double down_ms = 0;         // from the kill until the new server listened
  // Over all rounds.
  int calls = 0;
  int unavailable = 0;  // calls that ended UNAVAILABLE: all, as it should be
};

absl::StatusOr<FaultTimes> MeasureFaults(const ProcessPairOptions& options, int rounds);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_EXPERIMENTS_FAULTS_H_
