// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_PROCESS_NUMBER_H_
#define GRPC_CXL_RENDEZVOUS_PROCESS_NUMBER_H_

#include <cstdint>

#include "absl/status/statusor.h"

// A number of a process that is the same in all namespaces and never used again until the next
// boot: the inode of its pidfd (Linux 6.9). On older kernels all processes have the same number.
namespace grpc_cxl::internal {

absl::StatusOr<uint64_t> OwnProcessNumber();

// Of the process that connected or listened at the other end of `socket`.
absl::StatusOr<uint64_t> PeerProcessNumber(int socket);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_PROCESS_NUMBER_H_
