// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BASE_COUNTER_H_
#define GRPC_CXL_BASE_COUNTER_H_

#include <atomic>
#include <cstdint>

namespace grpc_cxl::internal {

// A number for people. All accesses are relaxed: each counter is a number by itself, exact when
// nothing moves. A struct of counters that the whole process shares has a static OfProcess().
// Thread-safe but for AddAlone().
template <typename Number>
class BasicCounter {
 public:
  void Add(Number more = 1) { number_.fetch_add(more, std::memory_order_relaxed); }
  // For a counter that only one thread at a time writes: no locked instruction.
  void AddAlone(Number more = 1) {
    number_.store(number_.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }

  Number value() const { return number_.load(std::memory_order_relaxed); }
  operator Number() const { return value(); }  // NOLINT: a number, wherever it is read

 private:
  std::atomic<Number> number_{0};
};

using Counter = BasicCounter<uint64_t>;  // of events and bytes: only grows
using Gauge = BasicCounter<int64_t>;     // of things that come and go

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_BASE_COUNTER_H_
