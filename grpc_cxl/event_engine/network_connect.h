// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_NETWORK_CONNECT_H_
#define GRPC_CXL_EVENT_ENGINE_NETWORK_CONNECT_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>

#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/polling/watchdog.h"

namespace grpc_cxl::internal {

// A channel with our credentials. A plain value.
struct NetworkChannel {
  std::shared_ptr<grpc_event_engine::experimental::EventEngine> engine;  // for the network
  Watchdog* watchdog;
  ChannelSettings settings;
  int number;  // of the settings
};

// Connects to a network address: through memory where a server of this host answers for it
// (local_first.h), else over the network, until such a server appears (moving_address.h). As
// EventEngine::Connect() of `engine`.
grpc_event_engine::experimental::EventEngine::ConnectionHandle ConnectToAddress(
    const NetworkChannel& channel,
    grpc_event_engine::experimental::EventEngine::OnConnectCallback on_connect,
    const grpc_event_engine::experimental::EventEngine::ResolvedAddress& address,
    const grpc_event_engine::experimental::EndpointConfig& config,
    grpc_event_engine::experimental::MemoryAllocator allocator,
    grpc_event_engine::experimental::EventEngine::Duration timeout);

// Whether gRPC makes the calls again that it has not begun to send when a connection is drained.
bool MakesCallsAgain(const grpc_event_engine::experimental::EndpointConfig& config);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_NETWORK_CONNECT_H_
