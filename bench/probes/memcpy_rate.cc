// SPDX-License-Identifier: Apache-2.0
#include "bench/probes/memcpy_rate.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

namespace grpc_cxl::bench {

double MemcpyBytesPerSecond(size_t size, double seconds) {
  using Clock = std::chrono::steady_clock;
  if (size == 0) return 0;
  const size_t all = std::max<size_t>(size, 4 << 20);
  std::vector<char> from(all, 'x'), to(all, 'y');  // touched: no page faults below
  size_t offset = 0;
  double copied = 0, passed = 0;
  const Clock::time_point start = Clock::now();
  do {
    for (int i = 0; i < 16; ++i) {
      if (offset + size > all) offset = 0;
      std::memcpy(to.data() + offset, from.data() + offset, size);
      asm volatile("" : : "r"(to.data()) : "memory");  // keeps the copy
      offset += size;
      copied += static_cast<double>(size);
    }
    passed = std::chrono::duration<double>(Clock::now() - start).count();
  } while (passed < seconds);
  return copied / passed;
}

}  // namespace grpc_cxl::bench
