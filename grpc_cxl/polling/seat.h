// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_POLLING_SEAT_H_
#define GRPC_CXL_POLLING_SEAT_H_

#include <atomic>
#include <cstdint>

#include "absl/functional/function_ref.h"

namespace grpc_cxl::internal {

// The right to run callbacks of a poller, of one thread at a time. The thread loses it when
// somebody else vacates the seat while a callback runs: whoever changes `busy` from the callback's
// odd number to the next even one has the seat from then on.
//
//     thread                          watchdog                  next thread
//     busy := odd
//     callback() ...                  sees the same odd twice:
//                                     busy: odd -> even, gives
//                                     the seat away             calls back
//     ... returns, cannot
//     change busy, leaves
//
// `busy` only grows, so a late thread never takes a successor's number for its own.
class alignas(64) Seat {
 public:
  // Runs `callback`; false when the seat was vacated meanwhile. `now` is SteadyNs(). `noted` is
  // called in between, when busy() shows the callback: what a watchdog needs to know that there is
  // something to watch.
  bool Call(int64_t now, absl::FunctionRef<void()> noted, absl::FunctionRef<void()> callback) {
    const uint64_t busy = busy_.load(std::memory_order_relaxed) + 1;
    began_ns_.store(now, std::memory_order_relaxed);  // before `busy`, which hands it over
    // Matched by the loads in busy(); see Watchdog for why seq_cst. Hands over what the thread has
    // done so far: matched by the exchange in VacateIfStuckIn().
    busy_.store(busy, std::memory_order_seq_cst);
    noted();
    callback();
    uint64_t expected = busy;
    return busy_.compare_exchange_strong(expected, busy + 1, std::memory_order_seq_cst);
  }

  // The number is odd while a callback runs, and changes with each.
  uint64_t busy() const { return busy_.load(std::memory_order_seq_cst); }
  bool in_callback() const { return busy() % 2 == 1; }
  // When the callback began that an earlier busy() showed, or a later one.
  int64_t began_ns() const { return began_ns_.load(std::memory_order_relaxed); }

  // Vacates the seat if its thread is still in the callback that `busy` counted.
  bool VacateIfStuckIn(uint64_t busy) {
    return busy_.compare_exchange_strong(busy, busy + 1, std::memory_order_seq_cst);
  }

 private:
  // From even to odd by the seat's thread alone.
  std::atomic<uint64_t> busy_{0};
  std::atomic<int64_t> began_ns_{0};
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_POLLING_SEAT_H_
