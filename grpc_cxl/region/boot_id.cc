// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/region/boot_id.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>

namespace grpc_cxl::internal {

const BootId& BootId::OfThisKernel() {
  static const BootId of_this_kernel = [] {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string text;
    BootId id;
    file >> text;
    // 36 hexadecimal digits and dashes, of which these 16 are random enough.
    memcpy(id.words, text.data(), std::min(text.size(), sizeof(id.words)));
    return id;
  }();
  return of_this_kernel;
}

bool BootId::IsIn(const HostWords& host) const {
  // Matched by the stores in Membership::Join().
  return host.boot_id[0].load(std::memory_order_acquire) == words[0] &&
         host.boot_id[1].load(std::memory_order_acquire) == words[1];
}

}  // namespace grpc_cxl::internal
