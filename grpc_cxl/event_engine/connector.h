#ifndef GRPC_CXL_EVENT_ENGINE_CONNECTOR_H_
#define GRPC_CXL_EVENT_ENGINE_CONNECTOR_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>
#include <string>

#include "grpc_cxl/direct/client_connection.h"
#include "grpc_cxl/event_engine/watchdog.h"
#include "grpc_cxl/options.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl {

// Connects to a name: finds its socket (or, with GRPC_CXL_REGION in the environment, its entry
// in that region), shakes hands, maps the arena. Returns at once;
// `on_connect` is called exactly once, from another thread, with an endpoint or with the
// reason why there is none, at the latest after `timeout`. When `links` is not null, the
// connection carries direct calls if the server agrees, and is entered there. Its blocks are
// entered in the pool directory under `pool_key`.
void Connect(std::shared_ptr<grpc_event_engine::experimental::EventEngine> executor,
             Watchdog* watchdog, const ServiceName& name, const ChannelOptions& options,
             std::shared_ptr<ClientLinks> links, const std::string& pool_key,
             grpc_event_engine::experimental::EventEngine::Duration timeout,
             grpc_event_engine::experimental::EventEngine::OnConnectCallback on_connect);

}  // namespace grpc_cxl

#endif  // GRPC_CXL_EVENT_ENGINE_CONNECTOR_H_
