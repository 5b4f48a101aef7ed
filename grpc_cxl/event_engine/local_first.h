// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_LOCAL_FIRST_H_
#define GRPC_CXL_EVENT_ENGINE_LOCAL_FIRST_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>
#include <string>
#include <vector>

#include "grpc_cxl/event_engine/connect_attempt.h"
#include "grpc_cxl/event_engine/kept_config.h"
#include "grpc_cxl/event_engine/local_server.h"

namespace grpc_cxl::internal {

// A network address that servers of this host have registered.
struct LocalFirstRequest {
  ConnectRequest local;  // whatever its name and check; its executor connects over the network
  std::vector<LocalServer> servers;
  ConnectRequest::EventEngine::ResolvedAddress address;
  std::shared_ptr<const KeptConfig> config;
  grpc_event_engine::experimental::MemoryAllocator allocator;
  bool declined = false;  // by a server that was alive
  std::string why = {};   // the last one was not to be had
};

// Connects through memory to the first of the servers that can be had, and over the network when
// there is none, whatever the reason: lines in the log say it. As Connect() (connector.h). A server
// that does not answer gets a quarter of the time that is left.
void ConnectLocalFirst(LocalFirstRequest request, ConnectRequest::EventEngine::Duration timeout,
                       ConnectRequest::EventEngine::OnConnectCallback on_connect);

// `on_connect` that counts the connection as one over the network, because of `reason`.
ConnectRequest::EventEngine::OnConnectCallback CountNetwork(
    ConnectRequest::EventEngine::OnConnectCallback on_connect,
    const ConnectRequest::EventEngine::ResolvedAddress& address, const EndpointSettings& settings,
    std::string reason);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_LOCAL_FIRST_H_
