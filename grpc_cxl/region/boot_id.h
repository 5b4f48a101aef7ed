// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_REGION_BOOT_ID_H_
#define GRPC_CXL_REGION_BOOT_ID_H_

#include <cstdint>

#include "grpc_cxl/region/region_layout.h"

namespace grpc_cxl::internal {

// Tells this run of this kernel from all others; zero where it cannot be read.
struct BootId {
  uint64_t words[2] = {0, 0};

  static const BootId& OfThisKernel();
  // Whether the host of these words runs this kernel.
  bool IsIn(const HostWords& words) const;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_BOOT_ID_H_
