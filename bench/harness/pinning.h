#ifndef GRPC_CXL_BENCH_HARNESS_PINNING_H_
#define GRPC_CXL_BENCH_HARNESS_PINNING_H_

#include "absl/status/status.h"

namespace grpc_cxl::bench {

enum class Side { kClient, kServer };

// Keeps the calling thread, and the threads that it starts from now on, to one half of the
// cores that it may use: the client's side to the first half, the server's to the second.
// FAILED_PRECONDITION when there is only one core.
absl::Status PinToHalf(Side side);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_HARNESS_PINNING_H_
