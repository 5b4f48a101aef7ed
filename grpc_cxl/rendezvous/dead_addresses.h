// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_DEAD_ADDRESSES_H_
#define GRPC_CXL_RENDEZVOUS_DEAD_ADDRESSES_H_

#include "grpc_cxl/rendezvous/rendezvous_directory.h"

namespace grpc_cxl::internal {

// Removes the files of network addresses (tcp_address.h, unix_file.h) whose servers were killed. A
// server with another port or in another network namespace never takes such a name again, so they
// would pile up. Files of other users stay. Thread-safe.
void RemoveDeadAddresses(const RendezvousDirectory& directory);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_DEAD_ADDRESSES_H_
