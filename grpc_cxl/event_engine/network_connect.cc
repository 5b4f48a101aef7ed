// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/network_connect.h"

#include <grpc/impl/channel_arg_names.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "grpc_cxl/event_engine/kept_config.h"
#include "grpc_cxl/event_engine/local_first.h"
#include "grpc_cxl/event_engine/local_server.h"
#include "grpc_cxl/event_engine/moving_address.h"
#include "grpc_cxl/event_engine/replica_connections.h"
#include "grpc_cxl/event_engine/settings_registry.h"
#include "grpc_cxl/payload/pool_directory.h"

namespace grpc_cxl::internal {
namespace {

using grpc_event_engine::experimental::EndpointConfig;
using grpc_event_engine::experimental::EventEngine;
using grpc_event_engine::experimental::MemoryAllocator;

// GRPC_ARG_HTTP_CONNECT_SERVER, which gRPC's public headers do not have: what a proxy connects to.
constexpr absl::string_view kHttpConnectServerArg = "grpc.http_connect_server";

}  // namespace

bool MakesCallsAgain(const EndpointConfig& config) {
  return config.GetInt(GRPC_ARG_ENABLE_RETRIES).value_or(1) != 0 &&
         config.GetInt(GRPC_ARG_MINIMAL_STACK).value_or(0) == 0;
}

EventEngine::ConnectionHandle ConnectToAddress(const NetworkChannel& channel,
                                               EventEngine::OnConnectCallback on_connect,
                                               const EventEngine::ResolvedAddress& address,
                                               const EndpointConfig& config,
                                               MemoryAllocator allocator,
                                               EventEngine::Duration timeout) {
  const bool plain = config.GetInt(kPlainArg) == 1;
  const std::string host(config.GetString(kHostArg).value_or(""));
  const std::string key(config.GetString(kCallsKeyArg).value_or(""));
  const bool direct = config.GetInt(kDirectArg) == 1 && !key.empty();
  auto network = std::make_shared<NetworkTerms>();
  std::vector<LocalServer> servers;
  std::string why_none =
      "the address is a proxy's, or the channel has arguments that only the "
      "network can serve";
  ConnectRequest local{.executor = channel.engine,
                       .poller = channel.watchdog->Assign(),
                       .name = ServiceName::Reserved(""),
                       .settings = channel.settings,
                       .routes = direct ? CallRoutes::For(key, channel.number) : nullptr,
                       .pool_key = key.empty() ? "" : ClientPoolKey(key, channel.number),
                       .await_greeting = plain,
                       .replicas = direct ? ReplicaConnections::For(key, channel.number) : nullptr,
                       .serve_back = config.GetInt(kServeBackArg).value_or(0)};
  // Else the address is a proxy's, to which gRPC then speaks.
  if (!config.GetString(kHttpConnectServerArg).has_value() && KeptConfig::CanBe(config)) {
    if (plain && MakesCallsAgain(config)) {
      network->moves = MovingAddress::Terms{.key = {address, host, channel.number},
                                            .settings = channel.settings,
                                            .executor = channel.engine,
                                            .watchdog = channel.watchdog,
                                            .direct = direct};
    }
    if (direct && !channel.settings.region.has_value()) {
      network->offers = local;
      network->offers->await_greeting = false;  // it carries no HTTP/2
      network->offers->replicas = nullptr;
    }
    servers = FindLocalServers(address, host, channel.settings, &why_none);
  }
  if (servers.empty()) {
    on_connect = NoteNetwork(address, channel.settings, std::move(why_none), std::move(on_connect));
    return channel.engine->Connect(
        OverNetwork(std::move(network), /*declined=*/false, std::move(on_connect)), address, config,
        std::move(allocator), timeout);
  }
  ConnectLocalFirst({.local = std::move(local),
                     .servers = std::move(servers),
                     .address = address,
                     .config = KeptConfig::Of(config),
                     .allocator = std::move(allocator),
                     .network = std::move(network)},
                    timeout, std::move(on_connect));
  return EventEngine::ConnectionHandle::kInvalid;
}

}  // namespace grpc_cxl::internal
