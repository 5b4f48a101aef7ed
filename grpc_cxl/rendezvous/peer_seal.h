// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_PEER_SEAL_H_
#define GRPC_CXL_RENDEZVOUS_PEER_SEAL_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace grpc_cxl::internal {

// A number that only this process can tell for `text`: SipHash-2-4 under a random key that is made
// on first use and never leaves the process. Thread-safe.
uint64_t Seal(absl::string_view text);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_PEER_SEAL_H_
