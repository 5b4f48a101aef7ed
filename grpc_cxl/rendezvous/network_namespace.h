// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_NETWORK_NAMESPACE_H_
#define GRPC_CXL_RENDEZVOUS_NETWORK_NAMESPACE_H_

#include <sys/types.h>

#include <optional>

namespace grpc_cxl::internal {

// A network namespace, in which an address means what it means nowhere else.
struct NetworkNamespace {
  dev_t device = 0;
  ino_t inode = 0;

  // The calling thread's, in which its sockets are made; nullopt without /proc. Thread-safe.
  static std::optional<NetworkNamespace> OfThread();

  friend bool operator==(const NetworkNamespace&, const NetworkNamespace&) = default;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_NETWORK_NAMESPACE_H_
