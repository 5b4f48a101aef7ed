// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_LOCAL_FIRST_H_
#define GRPC_CXL_EVENT_ENGINE_LOCAL_FIRST_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>

#include "grpc_cxl/event_engine/connect_attempt.h"
#include "grpc_cxl/event_engine/kept_config.h"

namespace grpc_cxl::internal {

// A network address that a server of this host has registered.
struct LocalFirstRequest {
  ConnectRequest local;  // to that server; `local.executor` connects over the network
  ConnectRequest::EventEngine::ResolvedAddress address;
  std::shared_ptr<const KeptConfig> config;
  grpc_event_engine::experimental::MemoryAllocator allocator;
};

// Connects through memory, and over the network if that fails, whatever the reason: a line in the
// log says it. As Connect() (connector.h). A server that does not answer gets a quarter of
// `timeout`.
void ConnectLocalFirst(LocalFirstRequest request, ConnectRequest::EventEngine::Duration timeout,
                       ConnectRequest::EventEngine::OnConnectCallback on_connect);

// `on_connect` that counts the connection as one over the network.
ConnectRequest::EventEngine::OnConnectCallback CountNetwork(
    ConnectRequest::EventEngine::OnConnectCallback on_connect);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_LOCAL_FIRST_H_
