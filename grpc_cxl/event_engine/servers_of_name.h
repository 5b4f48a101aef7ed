// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_SERVERS_OF_NAME_H_
#define GRPC_CXL_EVENT_ENGINE_SERVERS_OF_NAME_H_

#include <vector>

#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

// The names at which a client may find a server of `name`: its replicas in random order, or itself
// where it has none, which is where no server is as well. Never empty. As long as FindReplicas().
std::vector<ServiceName> ServersOf(const ServiceName& name, const EndpointSettings& settings);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_SERVERS_OF_NAME_H_
