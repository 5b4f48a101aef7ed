// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_ENDPOINT_ASSEMBLY_H_
#define GRPC_CXL_EVENT_ENGINE_ENDPOINT_ASSEMBLY_H_

#include <grpc/event_engine/event_engine.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "grpc_cxl/endpoint/endpoint.h"
#include "grpc_cxl/endpoint/endpoint_core.h"
#include "grpc_cxl/event_engine/client_source.h"
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/link/link_user.h"
#include "grpc_cxl/polling/poller.h"
#include "grpc_cxl/rendezvous/peer_trust.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

// The agreed terms of a new connection.
struct ConnectionTerms {
  Link::Side side;
  ServiceName name;
  std::string peer_identity;  // peer_text.h
  PeerTrust trust;
  std::string pool_key;  // pool_directory.h
  LinkSizes sizes;
  const EndpointSettings& settings;
  bool is_probe = false;  // not worth showing
};

// Makes a connection's link and the core over it. `make_user` is called for a link with a call
// area and makes its user. Errors are those of Link::Create(), and RESOURCE_EXHAUSTED.
absl::StatusOr<std::shared_ptr<EndpointCore>> AssembleCore(
    LinkParts parts, const ConnectionTerms& terms,
    std::shared_ptr<grpc_event_engine::experimental::EventEngine> executor,
    std::function<std::unique_ptr<LinkUser>(Link*)> make_user);

// Adds the core to `poller`, which reads from the peer from now on.
std::unique_ptr<Endpoint> StartEndpoint(std::shared_ptr<EndpointCore> core,
                                        const ConnectionTerms& terms, Poller* poller);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_ENDPOINT_ASSEMBLY_H_
