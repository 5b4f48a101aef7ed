// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_HOST_IDENTITY_H_
#define GRPC_CXL_RENDEZVOUS_HOST_IDENTITY_H_

#include <string>

#include "grpc_cxl/rendezvous/rendezvous_directory.h"

namespace grpc_cxl::internal {

// What processes have in common that can meet in this directory, whatever their namespaces: the
// running kernel, the directory, and their rollout (docs/protocol.md, 2.7). Tells nothing about
// them to others: a hash, in printable ASCII. Empty without /proc. Thread-safe.
std::string HostIdentity(const RendezvousDirectory& directory);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_HOST_IDENTITY_H_
