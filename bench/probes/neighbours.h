#ifndef GRPC_CXL_BENCH_PROBES_NEIGHBOURS_H_
#define GRPC_CXL_BENCH_PROBES_NEIGHBOURS_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace grpc_cxl::bench {

// How much of the machine others took while something was measured. Whoever measures calls
// beside a compiler measures the compiler.
class Neighbours {
 public:
  // Counts from now on. This process and those of `ours`, which must live until Share(), are no
  // neighbours.
  explicit Neighbours(std::vector<pid_t> ours);

  // The share of the time of all cores since then, 0 to 1, that was neither idle nor ours. Time
  // that a hypervisor gave to other machines counts ("steal"), and so does what the kernel
  // does in interrupts for us, where it does not bill that to the process. In steps of some
  // 10 ms of one core. nullopt where /proc/stat does not tell.
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
