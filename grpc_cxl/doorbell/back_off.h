// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DOORBELL_BACK_OFF_H_
#define GRPC_CXL_DOORBELL_BACK_OFF_H_

#include <algorithm>
#include <cstdint>

namespace grpc_cxl::internal {

// How long to nap between two looks at memory whose writer cannot wake us: at first 5 us, then
// twice as long each time, up to 1 ms. So news that takes t to come is seen after 2 t,
// or t + 1 ms, at the latest. A thread that naps for ever wakes a thousand times a second,
// which took 2.6 % of a core with two such threads; the kernel's timer slack (50 us, unless the
// thread sets it otherwise) comes on top of each nap. Not thread-safe.
class BackOff {
 public:
  static constexpr int64_t kShortestNs = 5'000;
  static constexpr int64_t kLongestNs = 1'000'000;

  int64_t Next() {
    const int64_t now = next_ns_;
    next_ns_ = std::min(2 * next_ns_, kLongestNs);
    return now;
  }

 private:
  int64_t next_ns_ = kShortestNs;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DOORBELL_BACK_OFF_H_
