// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TOOLS_WAKE_UP_COST_H_
#define GRPC_CXL_TOOLS_WAKE_UP_COST_H_

#include <cstdint>

namespace grpc_cxl::internal {

// How long it takes until a thread that sleeps on a futex runs again, in nanoseconds: the median of
// some hundred times, each after a pause in which the core may go to sleep. Takes some 50 ms.
int64_t MeasureWakeUp();

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TOOLS_WAKE_UP_COST_H_
