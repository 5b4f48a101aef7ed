// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_KNOWN_CLIENT_H_
#define GRPC_CXL_EVENT_ENGINE_KNOWN_CLIENT_H_

#include <memory>

#include "grpc_cxl/event_engine/life_bond.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/peer_trust.h"

namespace grpc_cxl::internal {

// The process that connects back: the server of the first connection, as the kernel shows it on the
// line by which it comes. A plain value.
struct KnownClient {
  PeerIdentity peer;
  PeerTrust trust;                         // by the options of the channel
  std::shared_ptr<LifeBond> bond;          // the new connection ends with the first one
  std::shared_ptr<void> ticket = nullptr;  // kept by the new connection
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_KNOWN_CLIENT_H_
