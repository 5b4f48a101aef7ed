// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_PROBES_SYSCALL_COUNTER_H_
#define GRPC_CXL_BENCH_PROBES_SYSCALL_COUNTER_H_

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::bench {

// Counts the system calls of all threads of a process, later ones included, by the kernel's
// tracepoint raw_syscalls:sys_enter. While a counter exists, every system call of the machine
// takes some 100 ns longer, so latencies measured meanwhile are too high.
//
// Move-only; used by one thread.
class SyscallCounter {
 public:
  // FAILED_PRECONDITION, with what to do, unless tracefs is mounted and this process has root or
  // CAP_PERFMON.
  static absl::StatusOr<SyscallCounter> Start(pid_t pid);

  // System calls since Start().
  int64_t Count() const;

 private:
  std::vector<internal::UniqueFd> threads_;  // an event per thread
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_PROBES_SYSCALL_COUNTER_H_
