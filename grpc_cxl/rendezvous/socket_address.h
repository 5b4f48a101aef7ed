// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_SOCKET_ADDRESS_H_
#define GRPC_CXL_RENDEZVOUS_SOCKET_ADDRESS_H_

#include <sys/un.h>

#include <string>

#include "absl/status/statusor.h"

namespace grpc_cxl::internal {

// The address of a unix socket named `file` in an opened directory:
// "/proc/self/fd/<directory>/<file>". The directory's path may thus be of any length (an address
// has space for 107 characters), and no other directory can take its place meanwhile. `file` has at
// most 85 characters.
// FAILED_PRECONDITION when /proc is not mounted.
absl::StatusOr<sockaddr_un> SocketAddress(int directory, const std::string& file);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_SOCKET_ADDRESS_H_
