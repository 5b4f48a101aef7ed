#ifndef GRPC_CXL_BENCH_PROBES_SYSCALL_COUNTER_H_
#define GRPC_CXL_BENCH_PROBES_SYSCALL_COUNTER_H_

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::bench {

// Counts the system calls of a process, all threads and those they start, by the kernel's
// tracepoint raw_syscalls:sys_enter. While one exists, every system call of the machine takes
// a slower way through the kernel (some 100 ns): do not believe latencies measured meanwhile.
//
// Move-only; used by one thread.
class SyscallCounter {
 public:
  // FAILED_PRECONDITION, with what to do, when this kernel does not tell: it needs tracefs
  // mounted, and root or CAP_PERFMON.
  static absl::StatusOr<SyscallCounter> Start(pid_t pid);

  // How many since Start().
  int64_t Count() const;

 private:
  std::vector<internal::UniqueFd> threads_;  // an event for each
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_PROBES_SYSCALL_COUNTER_H_
