// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_HARNESS_PINNING_H_
#define GRPC_CXL_BENCH_HARNESS_PINNING_H_

#include "absl/status/status.h"

namespace grpc_cxl::bench {

enum class Side { kClient, kServer };

// Pins the calling thread, and the threads that it starts later, to half of the cores that it
// may use: a client to the first half, a server to the second. FAILED_PRECONDITION when it may
// use only one core.
absl::Status PinToHalf(Side side);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_HARNESS_PINNING_H_
