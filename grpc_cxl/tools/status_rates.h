// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TOOLS_STATUS_RATES_H_
#define GRPC_CXL_TOOLS_STATUS_RATES_H_

#include "grpc_cxl/tools/host_status.h"

namespace grpc_cxl::internal {

// `now`, with what has been counted since `before` in the place of what has been counted since
// ever, for each second between the two; latencies are those of the time between. What was not
// there before begins with 0.
HostStatus RatesSince(const HostStatus& before, HostStatus now, double seconds);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TOOLS_STATUS_RATES_H_
