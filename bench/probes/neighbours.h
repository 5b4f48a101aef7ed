// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_PROBES_NEIGHBOURS_H_
#define GRPC_CXL_BENCH_PROBES_NEIGHBOURS_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace grpc_cxl::bench {

// The share of the machine that other programs used during a measurement, which spoils it.
class Neighbours {
 public:
  // Counts from now on. This process and those of `ours`, which must live until Share(), do not
  // count.
  explicit Neighbours(std::vector<pid_t> ours);

  // The share of the time of all cores since then, 0 to 1, that was neither idle nor ours. It
  // includes time that a hypervisor gave to other machines ("steal"), and interrupts on our behalf
  // that the kernel does not charge to a process. The resolution is some 10 ms of one core.
  // nullopt when /proc/stat cannot be read.
  std::optional<double> Share() const;

 private:
  struct Times {
    int64_t busy_ns = 0, all_ns = 0;  // of all cores
  };
  static std::optional<Times> Machine();
  int64_t OursNs() const;

  std::vector<pid_t> ours_;
  std::optional<Times> machine_;
  int64_t ours_ns_;
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_PROBES_NEIGHBOURS_H_
