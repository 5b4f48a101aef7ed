#ifndef GRPC_CXL_BENCH_PROBES_USAGE_H_
#define GRPC_CXL_BENCH_PROBES_USAGE_H_

#include <sys/types.h>

#include <cstdint>

namespace grpc_cxl::bench {

// What a process has used since its start.
struct Usage {
  int64_t cpu_ns = 0;            // user and system time of all its threads, dead ones included
  int64_t page_faults = 0;       // minor ones
  int64_t context_switches = 0;  // voluntary or not, of the threads that live
};

// The usage of a process of our own user; zeros when there is no such process any more.
Usage UsageOf(pid_t pid);

// What a process holds in memory, in bytes.
struct Memory {
  int64_t own = 0;     // its heap, stacks and other private memory
  int64_t shared = 0;  // shared memory that it has mapped and touched: arenas
};
Memory MemoryOf(pid_t pid);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_PROBES_USAGE_H_
