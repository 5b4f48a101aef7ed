// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_KNOWN_CLIENT_H_
#define GRPC_CXL_EVENT_ENGINE_KNOWN_CLIENT_H_

#include <memory>

#include "grpc_cxl/event_engine/life_bond.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/peer_trust.h"

namespace grpc_cxl::internal {

// The process that connects back: the peer of the first connection, whose handshake has shown who
// it is. A plain value.
struct KnownClient {
  PeerIdentity peer;
  PeerTrust trust;
  std::shared_ptr<LifeBond> bond;  // the new connection ends with the first one
  std::shared_ptr<void> ticket;    // kept by the new connection

  // It has made our end of the socket as well, and it may not do with us as it likes anyway.
  bool makes_foreign_sockets() const { return !IsTrustedWithMemory(trust); }
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_KNOWN_CLIENT_H_
