// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_MEMORY_DISTANCE_H_
#define GRPC_CXL_MEMORY_DISTANCE_H_

#include <cstdint>

namespace grpc_cxl {

// Whether the caches of the two ends see each other's stores.
enum class Coherence : uint32_t {
  kCoherent = 0,  // they do: one host, or hosts whose memory pool invalidates caches (CXL 3)
  kFlush = 1,     // they do not: the writer writes its lines back, the reader drops its own
                  // first. x86-64 only. Neither end can wake the other, so both poll
};

// How much further away than local memory the arena is. All zero: not at all. The difference is
// emulated by waiting.
struct MemoryDistance {
  uint32_t load_ns = 0;   // of a load that must go there, at most 1 ms
  uint32_t store_ns = 0;  // of a store that must be there before the next step, at most 1 ms
  double gbps = 0;        // GB/s that the link carries; 0: as many as local memory
  // Lines of 64 bytes that one core asks for at once, 1 to 1024. They and the latency limit what a
  // thread can move: 48 lines in 800 ns are 3.8 GB/s.
  uint32_t lines_in_flight = 48;
  // Where memory is coherent between hosts: of an access to a line that the other end's cache has,
  // on top. The device has that cache give the line up (back-invalidate snoop). At most 1 ms.
  uint32_t snoop_ns = 0;
  // How much slower the slowest access of a thousand is, at most 1 ms. One in a hundred is slower
  // at all, one in ten thousand by twice as much.
  uint32_t tail_ns = 0;

  bool none() const {
    return load_ns == 0 && store_ns == 0 && gbps == 0 && snoop_ns == 0 && tail_ns == 0;
  }
  friend bool operator==(const MemoryDistance&, const MemoryDistance&) = default;
};

}  // namespace grpc_cxl

#endif  // GRPC_CXL_MEMORY_DISTANCE_H_
