#ifndef GRPC_CXL_BENCH_PROBES_MEMCPY_RATE_H_
#define GRPC_CXL_BENCH_PROBES_MEMCPY_RATE_H_

#include <cstddef>

namespace grpc_cxl::bench {

// Bytes per second that one thread of this process copies with memcpy() now, `size` bytes at a
// time, around two buffers of 4 MiB (or `size`, if that is more): as large as the payload
// area of a connection, so that neither runs in the processor's nearest cache alone.
// Takes about `seconds`.
double MemcpyBytesPerSecond(size_t size, double seconds);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_PROBES_MEMCPY_RATE_H_
