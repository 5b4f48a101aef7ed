// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_SERVER_LOAD_H_
#define GRPC_CXL_DIRECT_SERVER_LOAD_H_

#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "grpc_cxl/calls/call_layout.h"

namespace grpc_cxl::internal {

// The direct calls that a server has under way on all of its connections, which it tells its
// clients with each call (docs/protocol.md, 8.11). Thread-safe.
class ServerLoad {
 public:
  // relaxed, here and below: a number by itself.
  void Add(int calls) { calls_.fetch_add(calls, std::memory_order_relaxed); }

  uint64_t Word() const {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);  // a few ns; late by some ms
    return MakeLoadWord(
        static_cast<uint32_t>(std::max<int64_t>(calls_.load(std::memory_order_relaxed), 0)),
        int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec);
  }

 private:
  std::atomic<int64_t> calls_{0};
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_SERVER_LOAD_H_
