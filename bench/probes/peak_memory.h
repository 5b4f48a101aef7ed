// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_PROBES_PEAK_MEMORY_H_
#define GRPC_CXL_BENCH_PROBES_PEAK_MEMORY_H_

#include <sys/types.h>

namespace grpc_cxl::bench {

// How much memory a process gains (resident, mapped arenas included), at its peak. Of this user's
// processes; 0 where the kernel does not tell.
class PeakMemory {
 public:
  // Begins to look.
  explicit PeakMemory(pid_t pid);

  double GainedMiB() const;

 private:
  const pid_t pid_;
  double at_start_kib_ = 0;
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_PROBES_PEAK_MEMORY_H_
