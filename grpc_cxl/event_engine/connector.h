// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_CONNECTOR_H_
#define GRPC_CXL_EVENT_ENGINE_CONNECTOR_H_

#include "grpc_cxl/event_engine/connect_attempt.h"

namespace grpc_cxl::internal {

// Connects by `request.way_back`, or to a name, or to one of its replicas (servers_of_name.h,
// staggered_dial.h): finds its socket (or its entry in the region that the settings name), runs the
// handshake, maps the arena. Returns at once; `on_connect` is called exactly once, from another
// thread, with an endpoint or an error, at the latest after `timeout`; the first time in a region,
// also a lease later (RegionNode::Get()). The error is that of a server that was alive, if any was.
// With `request.routes`, the connection carries direct calls if the server agrees, and is
// registered there; a replica's is entered into `request.replicas`. Its blocks are registered in
// the pool directory under `request.pool_key`.
void Connect(ConnectRequest request, ConnectAttempt::EventEngine::Duration timeout,
             ConnectAttempt::EventEngine::OnConnectCallback on_connect);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_CONNECTOR_H_
