// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_SUPPORT_EVENTUALLY_H_
#define GRPC_CXL_TEST_SUPPORT_EVENTUALLY_H_

#include <chrono>
#include <thread>

#include "absl/functional/function_ref.h"

namespace grpc_cxl::internal {

// Looks until `condition` holds; false when it does not for a minute.
inline bool Eventually(absl::FunctionRef<bool()> condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  return true;
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_SUPPORT_EVENTUALLY_H_
