// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_POLLING_USABLE_CORES_H_
#define GRPC_CXL_POLLING_USABLE_CORES_H_

#include <string>

namespace grpc_cxl::internal {

// How many threads of this process can run at once: the cores of its affinity mask, and not more
// than the CPU quota of its control group or of one above it (version 1 and 2), rounded up. At
// least 1. `root` is the directory in which proc and sys are looked up.
int UsableCores(const std::string& root = "");

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_POLLING_USABLE_CORES_H_
