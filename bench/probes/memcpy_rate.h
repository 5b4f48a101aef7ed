// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_PROBES_MEMCPY_RATE_H_
#define GRPC_CXL_BENCH_PROBES_MEMCPY_RATE_H_

#include <cstddef>

namespace grpc_cxl::bench {

// Bytes per second that this thread copies with memcpy(), `size` bytes at a time, between two
// buffers of 4 MiB (or `size`, if that is more). The payload area of a connection is as large, so
// both exceed the processor's nearest cache. Takes about `seconds`.
double MemcpyBytesPerSecond(size_t size, double seconds);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_PROBES_MEMCPY_RATE_H_
