// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_LOCAL_FIRST_H_
#define GRPC_CXL_EVENT_ENGINE_LOCAL_FIRST_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "grpc_cxl/event_engine/connect_attempt.h"
#include "grpc_cxl/event_engine/kept_config.h"
#include "grpc_cxl/event_engine/local_server.h"
#include "grpc_cxl/event_engine/moving_address.h"

namespace grpc_cxl::internal {

// What a connection over the network gets besides; each may be empty.
struct NetworkTerms {
  std::optional<MovingAddress::Terms> moves;  // moves when a server of this host appears
  std::optional<ConnectRequest> offers;       // one through memory beside it, if its server is here
};

// A network address, and the servers of this host that have registered it.
struct LocalFirstRequest {
  ConnectRequest local;  // whatever its name and check; its executor connects over the network
  std::vector<LocalServer> servers;
  ConnectRequest::EventEngine::ResolvedAddress address;
  std::shared_ptr<const KeptConfig> config;
  grpc_event_engine::experimental::MemoryAllocator allocator;
  std::shared_ptr<const NetworkTerms> network;
};

// Connects through memory to the first of the servers that can be had, and over the network when
// there is none, whatever the reason: lines in the log say it. As Connect() (connector.h). A server
// that does not answer, and all replicas of an address, get a quarter of the time that is left.
void ConnectLocalFirst(LocalFirstRequest request, ConnectRequest::EventEngine::Duration timeout,
                       ConnectRequest::EventEngine::OnConnectCallback on_connect);

// Whether one of the servers, of which there must be one, can be had; otherwise why not the last
// one. `local` as above, a probe. Never calls `on_probed` from inside.
void Probe(ConnectRequest local, std::vector<LocalServer> servers,
           ConnectRequest::EventEngine::Duration timeout,
           absl::AnyInvocable<void(absl::Status)> on_probed);

// `on_connect` that counts the connection as one over the network, and gives it what the terms say.
// `declined`: a server of this host would not have it.
ConnectRequest::EventEngine::OnConnectCallback OverNetwork(
    std::shared_ptr<const NetworkTerms> terms, bool declined,
    ConnectRequest::EventEngine::OnConnectCallback on_connect);

// `on_connect` that notes, for people, that a connection to `address` is over the network because
// of `reason`.
ConnectRequest::EventEngine::OnConnectCallback NoteNetwork(
    const ConnectRequest::EventEngine::ResolvedAddress& address, const EndpointSettings& settings,
    std::string reason, ConnectRequest::EventEngine::OnConnectCallback on_connect);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_LOCAL_FIRST_H_
