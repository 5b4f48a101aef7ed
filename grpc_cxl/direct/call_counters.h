#ifndef GRPC_CXL_DIRECT_CALL_COUNTERS_H_
#define GRPC_CXL_DIRECT_CALL_COUNTERS_H_

#include <atomic>
#include <cstdint>

namespace grpc_cxl::internal {

// Which path this process's unary calls on `cxl:` channels took; what direct_calls.h shows
// as DirectCallStats. Plain counts, each by itself: hence all accesses are relaxed.
struct CallCounters {
  std::atomic<uint64_t> direct{0};
  std::atomic<uint64_t> not_taken{0};
  std::atomic<uint64_t> no_connection{0};
  std::atomic<uint64_t> not_eligible{0};
  std::atomic<uint64_t> too_large{0};
  std::atomic<uint64_t> no_slot{0};
};

CallCounters& TheCallCounters();

inline void Count(std::atomic<uint64_t>& counter) {
  counter.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_CALL_COUNTERS_H_
