// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_SUPPORT_BUDGET_H_
#define GRPC_CXL_TEST_SUPPORT_BUDGET_H_

#include <algorithm>
#include <cstdint>

#include "absl/base/config.h"

namespace grpc_cxl::internal {

// The rounds of a stress test that makes `rounds` in a plain build. A sanitizer makes every
// round many times slower, and finds errors in fewer of them.
constexpr uint64_t Budget(uint64_t rounds) {
#if defined(ABSL_HAVE_THREAD_SANITIZER)
  return std::max<uint64_t>(1, rounds / 20);
#elif defined(ABSL_HAVE_ADDRESS_SANITIZER)
  return std::max<uint64_t>(1, rounds / 5);
#else
  return rounds;
#endif
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_SUPPORT_BUDGET_H_
