// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_PROBE_H_
#define GRPC_CXL_EVENT_ENGINE_PROBE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/rendezvous/service_name.h"
#include "grpc_cxl/rendezvous/tcp_address.h"

namespace grpc_cxl::internal {

// For tools: what would become of a connection, by the code that makes connections. A connection
// that can be made is made, and dropped at once; the server sees a client that comes and goes.

// To a name. The server as in peer_text.h, "pid=4711,uid=1000"; or why it cannot be reached. Waits
// for at most some seconds.
absl::StatusOr<std::string> ProbeName(const ServiceName& name, const ChannelSettings& settings);

// To a network address, of a channel whose target is `host`.
struct AddressProbe {
  struct Server {
    ServiceName name;
    absl::StatusOr<std::string> reached;  // as ProbeName()
  };
  // Up to the first one that is reached; the connection goes over the network if none is.
  std::vector<Server> servers;
  std::string why_none;  // if there are no servers
};
AddressProbe ProbeAddress(const sockaddr* address, socklen_t size, const std::string& host,
                          const ChannelSettings& settings);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_PROBE_H_
