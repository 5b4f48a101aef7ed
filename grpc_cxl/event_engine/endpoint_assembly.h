// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_ENDPOINT_ASSEMBLY_H_
#define GRPC_CXL_EVENT_ENGINE_ENDPOINT_ASSEMBLY_H_

#include <grpc/event_engine/event_engine.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "grpc_cxl/doorbell/spin_budget.h"
#include "grpc_cxl/endpoint/endpoint_core.h"
#include "grpc_cxl/event_engine/client_source.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/link/link_user.h"
#include "grpc_cxl/polling/poller.h"
#include "grpc_cxl/rendezvous/peer_trust.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

// What both ends of a new connection have agreed upon, and who they are.
struct ConnectionTerms {
  Link::Side side;
  ServiceName name;
  std::string peer_identity;  // peer_text.h
  PeerTrust trust;
  std::string pool_key;  // pool_directory.h
  LinkSizes sizes;
  SpinBudget spin;
};

// Makes a connection's link and what uses it. `make_user` makes the user of a link with a call
// area; it is not called for others. Errors are those of Link::Create().
absl::StatusOr<std::shared_ptr<EndpointCore>> AssembleCore(
    LinkParts parts, const ConnectionTerms& terms,
    std::shared_ptr<grpc_event_engine::experimental::EventEngine> executor,
    std::function<std::unique_ptr<LinkUser>(Link*)> make_user);

// Has `poller` look after it: from here on the peer is heard.
std::unique_ptr<grpc_event_engine::experimental::EventEngine::Endpoint> StartEndpoint(
    std::shared_ptr<EndpointCore> core, const ConnectionTerms& terms, Poller* poller);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_ENDPOINT_ASSEMBLY_H_
