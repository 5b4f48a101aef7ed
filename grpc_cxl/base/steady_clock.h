// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BASE_STEADY_CLOCK_H_
#define GRPC_CXL_BASE_STEADY_CLOCK_H_

#include <time.h>

#include <cstdint>

namespace grpc_cxl::internal {

inline int64_t ClockNs(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

// CLOCK_MONOTONIC in nanoseconds: of this host, for the time that passes between two readings.
// Some 20 to 30 ns each where the kernel lets processes read it (vDSO).
inline int64_t SteadyNs() { return ClockNs(CLOCK_MONOTONIC); }

// The same with the time that the machine slept.
inline int64_t BootNs() { return ClockNs(CLOCK_BOOTTIME); }

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_BASE_STEADY_CLOCK_H_
