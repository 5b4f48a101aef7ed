// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/endpoint_assembly.h"

#include <utility>

#include "absl/log/log.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/event_engine/cxl_address.h"
#include "grpc_cxl/payload/pool_directory.h"
#include "grpc_cxl/rendezvous/peer_text.h"

namespace grpc_cxl::internal {

using grpc_event_engine::experimental::EventEngine;

absl::StatusOr<std::shared_ptr<EndpointCore>> AssembleCore(
    LinkParts parts, const ConnectionTerms& terms, std::shared_ptr<EventEngine> executor,
    std::function<std::unique_ptr<LinkUser>(Link*)> make_user) {
  parts.arena.KeepFromChildren();
  parts.options.trust_peer = IsTrustedWithMemory(terms.trust);
  absl::StatusOr<std::unique_ptr<Link>> link =
      Link::Create(terms.side, std::move(parts.arena), std::move(parts.socket), terms.sizes,
                   std::move(parts.options));
  if (!link.ok()) return link.status();
  if (terms.sizes.call_bytes > 0) {
    if (absl::Status status =
            (*link)->pages().Reserve((*link)->call_area().subspan(0, kCallWordsBytes));
        !status.ok()) {
      return status;
    }
  }
  EnterPool(terms.pool_key, (*link)->pool());
  std::unique_ptr<LinkUser> user;
  if (terms.sizes.call_bytes > 0) user = make_user(link->get());
  LinkUser* const raw_user = user.get();
  auto core = std::make_shared<EndpointCore>(*std::move(link), terms.wait, std::move(executor),
                                             IsTrustedWithMemory(terms.trust), std::move(user));
  if (raw_user != nullptr) raw_user->Start(core);
  return core;
}

std::unique_ptr<Endpoint> StartEndpoint(std::shared_ptr<EndpointCore> core,
                                        const ConnectionTerms& terms, Poller* poller) {
  VLOG(1) << "cxl:///" << terms.name.str() << ": connected to "
          << (terms.side == Link::Side::kClient ? "the server" : "a client") << " with "
          << WithoutSeal(terms.peer_identity) << "; trust: " << TrustText(terms.trust)
          << (IsTrustedWithMemory(terms.trust) ? " (large messages are parsed where they lie)"
                                               : " (messages are copied before they are parsed)");
  return std::make_unique<Endpoint>(std::move(core), poller, LocalAddress(terms.name),
                                    PeerAddress(terms.name, terms.peer_identity));
}

}  // namespace grpc_cxl::internal
