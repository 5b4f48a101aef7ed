// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_PROBES_MEMORY_TRIPS_H_
#define GRPC_CXL_BENCH_PROBES_MEMORY_TRIPS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "grpc_cxl/memory_distance.h"

namespace grpc_cxl::bench {

// How often both ends of a connection go to far memory for something, one trip after the other, by
// the rules of far_memory.h. Counted, not measured: the same each time.
struct MemoryTrips {
  std::string of;
  uint64_t loads, stores;
  // Nanoseconds at that distance, but for the transfer of the bytes and tails.
  int64_t NsAt(const MemoryDistance& distance, Coherence coherence) const {
    const uint64_t snoop = coherence == Coherence::kCoherent ? distance.snoop_ns : 0;
    return static_cast<int64_t>(loads * (distance.load_ns + snoop) +
                                stores * (distance.store_ns + snoop));
  }
};

// A look of a polling thread at a connection where nothing is new, on each side; a unary direct
// call whose caller looks for itself, and one that the polling thread ends, there and back; and a
// message in a ring until its reader has told that it is read. With small messages, each seen with
// the first look.
std::vector<MemoryTrips> CountMemoryTrips(Coherence coherence);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_PROBES_MEMORY_TRIPS_H_
