// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DOORBELL_YIELD_H_
#define GRPC_CXL_DOORBELL_YIELD_H_

#include <sched.h>

#include <algorithm>
#include <cstdint>

#include "grpc_cxl/base/steady_clock.h"

namespace grpc_cxl::internal {

struct Yielded {
  int64_t now_ns;
  int64_t away_ns;  // while another thread had the core; 0: none wanted it
};

// Offers the core to a thread that needs it, since `before_ns`, a time just now. A yield that takes
// many times as long as one that finds no other thread has found one.
inline Yielded Yield(int64_t before_ns) {
  constexpr int64_t kManyTimes = 16;
  thread_local int64_t quickest_ns = INT64_MAX / kManyTimes;
  sched_yield();
  const int64_t now_ns = SteadyNs();
  const int64_t took_ns = now_ns - before_ns;
  quickest_ns = std::clamp<int64_t>(took_ns, 1, quickest_ns);
  return {now_ns, took_ns > kManyTimes * quickest_ns ? took_ns : 0};
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DOORBELL_YIELD_H_
