// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_CALLS_CALL_BUDGET_H_
#define GRPC_CXL_CALLS_CALL_BUDGET_H_

#include <cstddef>

namespace grpc_cxl::internal {

// What a server grants a connection for call areas beyond the first. Thread-safe.
class CallBudget {
 public:
  virtual ~CallBudget() = default;
  // False: there is none left, and nothing was taken.
  virtual bool Take(size_t bytes) = 0;
  virtual void Give(size_t bytes) = 0;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_CALLS_CALL_BUDGET_H_
