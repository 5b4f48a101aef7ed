#ifndef GRPC_CXL_BENCH_USAGE_H_
#define GRPC_CXL_BENCH_USAGE_H_

#include <sys/types.h>

#include <cstdint>

namespace grpc_cxl::bench {

// What a process has used since its start.
struct Usage {
  int64_t cpu_ns = 0;       // user and system time of all its threads, dead ones included
  int64_t page_faults = 0;  // minor ones
};

// The usage of a process of our own user; zeros when there is no such process any more.
Usage UsageOf(pid_t pid);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_USAGE_H_
