// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_SUPPORT_BUDGET_H_
#define GRPC_CXL_TEST_SUPPORT_BUDGET_H_

#include <algorithm>
#include <cstdint>

namespace grpc_cxl::internal {

// The rounds of a stress test that makes `rounds` in a plain build. A sanitizer makes every
// round many times slower, and finds errors in fewer of them.
constexpr uint64_t Budget(uint64_t rounds) {
#if defined(__SANITIZE_THREAD__)
  return std::max<uint64_t>(1, rounds / 20);
#elif defined(__SANITIZE_ADDRESS__)
  return std::max<uint64_t>(1, rounds / 5);
#else
  return rounds;
#endif
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_SUPPORT_BUDGET_H_
