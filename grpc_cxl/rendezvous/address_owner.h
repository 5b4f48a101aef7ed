// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_ADDRESS_OWNER_H_
#define GRPC_CXL_RENDEZVOUS_ADDRESS_OWNER_H_

#include <sys/types.h>

#include "absl/status/status.h"
#include "grpc_cxl/rendezvous/tcp_address.h"

namespace grpc_cxl::internal {

// Under which of an address's two names (tcp_address.h) a server was found.
enum class AddressEntry { kExact, kAny };

// Whether a server that was found under that name, and runs as `uid`, may answer for `address`: by
// the kernel's table of listening sockets, a connection to the address would reach a socket of
// the same user. PERMISSION_DENIED: it would not, or the user has no number in our user namespace.
// FAILED_PRECONDITION: the kernel does not tell. Thread-safe; does not block.
absl::Status CheckAnswersFor(const TcpAddress& address, AddressEntry entry, uid_t uid);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_ADDRESS_OWNER_H_
