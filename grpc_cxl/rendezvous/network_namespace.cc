// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/network_namespace.h"

#include <sys/stat.h>

namespace grpc_cxl::internal {

std::optional<NetworkNamespace> NetworkNamespace::OfThread() {
  struct stat found;
  if (stat("/proc/thread-self/ns/net", &found) != 0) return std::nullopt;
  return NetworkNamespace{.device = found.st_dev, .inode = found.st_ino};
}

}  // namespace grpc_cxl::internal
