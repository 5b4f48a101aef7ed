// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TOOLS_STATUS_JSON_H_
#define GRPC_CXL_TOOLS_STATUS_JSON_H_

#include <string>

#include "grpc_cxl/tools/host_status.h"

namespace grpc_cxl::internal {

// All that the pages say, as JSON: an object with the directory and its processes, each with its
// counters, threads, names, networks and connections. Keys are the fields of status_layout.h; times
// are nanoseconds. Latencies are [upper bound, count] of the buckets that have any; the last bound
// is null.
std::string StatusJson(const HostStatus& host);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TOOLS_STATUS_JSON_H_
