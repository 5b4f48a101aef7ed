// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TOOLS_REGION_REPORT_H_
#define GRPC_CXL_TOOLS_REGION_REPORT_H_

#include <memory>
#include <string>

#include "grpc_cxl/region/region.h"

namespace grpc_cxl::internal {

// The content of a region as text: its sizes, and for each host in use its processes and whether
// they are alive, names, connections and memory. Watches the beats for a fifth of the lease, at
// least 100 ms.
std::string RegionReport(const std::shared_ptr<const Region>& region);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TOOLS_REGION_REPORT_H_
