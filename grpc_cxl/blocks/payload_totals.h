#ifndef GRPC_CXL_BLOCKS_PAYLOAD_TOTALS_H_
#define GRPC_CXL_BLOCKS_PAYLOAD_TOTALS_H_

#include <atomic>
#include <cstdint>

namespace grpc_cxl::internal {

// How the payload of all connections of this process has travelled so far; the meaning of
// each is in grpc_cxl/payload_counters.h, which is how users read them. Relaxed: exact when
// nothing moves.
struct PayloadTotals {
  std::atomic<uint64_t> sent_in_place{0};
  std::atomic<uint64_t> sent_by_block{0};
  std::atomic<uint64_t> sent_by_ring{0};
  std::atomic<uint64_t> sent_for_want_of_blocks{0};
  std::atomic<uint64_t> received_in_place{0};
  std::atomic<uint64_t> received_from_block{0};
  std::atomic<uint64_t> received_from_ring{0};
  std::atomic<int64_t> loans_out{0};
  std::atomic<int64_t> loans_held{0};
};

inline PayloadTotals& Totals() {
  static PayloadTotals totals;  // trivially destructible: good until the very end
  return totals;
}

inline void Count(std::atomic<uint64_t>& total, uint64_t more) {
  total.fetch_add(more, std::memory_order_relaxed);
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_BLOCKS_PAYLOAD_TOTALS_H_
