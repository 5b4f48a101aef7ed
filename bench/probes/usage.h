// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_PROBES_USAGE_H_
#define GRPC_CXL_BENCH_PROBES_USAGE_H_

#include <sys/types.h>

#include <cstdint>

namespace grpc_cxl::bench {

// Resources that a process has used since its start.
struct Usage {
  int64_t cpu_ns = 0;            // user and system time of all threads, dead ones included
  int64_t page_faults = 0;       // minor faults
  int64_t context_switches = 0;  // voluntary or not, of live threads
};

// The usage of a process of our user; zeros when the process is gone.
Usage UsageOf(pid_t pid);

// Memory of a process, in bytes.
struct Memory {
  int64_t own = 0;     // heap, stacks and other private memory
  int64_t shared = 0;  // shared memory that it has mapped and touched: arenas
};
Memory MemoryOf(pid_t pid);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_PROBES_USAGE_H_
