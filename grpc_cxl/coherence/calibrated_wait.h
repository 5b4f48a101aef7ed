// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_COHERENCE_CALIBRATED_WAIT_H_
#define GRPC_CXL_COHERENCE_CALIBRATED_WAIT_H_

#include <cstdint>

namespace grpc_cxl::internal {

// Keeps this core busy for `nanoseconds`, give or take some twenty: by the time stamp counter
// where that runs at one rate (measured once, in 2 ms, at the first call), else by
// CLOCK_MONOTONIC. Thread-safe.
void WaitNanoseconds(int64_t nanoseconds);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_COHERENCE_CALIBRATED_WAIT_H_
