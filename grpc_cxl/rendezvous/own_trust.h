// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_OWN_TRUST_H_
#define GRPC_CXL_RENDEZVOUS_OWN_TRUST_H_

#include "absl/status/statusor.h"
#include "grpc_cxl/rendezvous/peer_trust.h"

namespace grpc_cxl::internal {

// How this process would trust itself, were it a peer: at best kSameNamespaces; less where the
// kernel or /proc does not tell enough.
absl::StatusOr<PeerTrust> OwnTrust();

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_OWN_TRUST_H_
