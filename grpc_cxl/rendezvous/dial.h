// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_DIAL_H_
#define GRPC_CXL_RENDEZVOUS_DIAL_H_

#include "absl/status/statusor.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

// Connects to a name and returns a non-blocking, close-on-exec socket on which nothing has been
// sent. Never blocks: the listener need not have accepted. Thread-safe.
//
// UNAVAILABLE naming the name and the directory when no server listens, RESOURCE_EXHAUSTED
// when the listener's queue is full or this process has no file descriptor left,
// PERMISSION_DENIED when this user may not enter the directory.
absl::StatusOr<UniqueFd> Dial(const RendezvousDirectory& directory, const ServiceName& name);

// Whether a server has registered the name; it may be dead. One system call.
bool IsRegistered(const RendezvousDirectory& directory, const ServiceName& name);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_DIAL_H_
