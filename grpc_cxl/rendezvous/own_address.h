// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_OWN_ADDRESS_H_
#define GRPC_CXL_RENDEZVOUS_OWN_ADDRESS_H_

#include "absl/status/statusor.h"
#include "grpc_cxl/rendezvous/tcp_address.h"

namespace grpc_cxl::internal {

// Whether packets to this address end in the calling thread's network namespace, as its routes say:
// 127.0.0.1, the address of an interface. Thread-safe; does not block.
absl::StatusOr<bool> IsOwnAddress(const TcpAddress& address);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_OWN_ADDRESS_H_
