// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_ACCEPTOR_REGISTRY_H_
#define GRPC_CXL_EVENT_ENGINE_ACCEPTOR_REGISTRY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "grpc_cxl/calls/call_capacity.h"
#include "grpc_cxl/direct/metadata_limit.h"
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

class Acceptor;
class NetworkListener;
class RegisteredAddress;

// An address's settings, passed from server credentials to the listener by SettingsRegistry.
struct ListenContext {
  ServerSettings settings;
  // The listening grpc_server, used only as a key.
  const void* server = nullptr;
  // Whether HTTP/2 is not encrypted, and whether the address may then serve direct calls.
  bool plain = false;
  bool direct_calls = false;

  friend bool operator==(const ListenContext&, const ListenContext&) = default;
};

// What the arguments of a server say about all its calls.
struct ServerLimits {
  // The argument of the server that direct calls could not keep, so there are none; usually empty.
  absl::string_view excludes_direct_calls;
  size_t max_metadata_bytes = kDefaultMetadataLimit;
  uint64_t max_message_bytes = 4 << 20;  // of requests
};

// The capacity of a server for direct calls, as long as it has addresses, which all hold this;
// made when there is none. `settings` are those of one of them. Thread-safe.
struct ServerCapacity {
  const std::shared_ptr<CallCapacity> calls = std::make_shared<CallCapacity>();
};
std::shared_ptr<ServerCapacity> CapacityOf(const void* server, const ServerSettings& settings);
// Null: no address of ours.
std::shared_ptr<ServerCapacity> FindCapacity(const void* server);

// The argument of a server whose GRPC_ARG_MAX_CONCURRENT_STREAMS, of the same number, is its
// capacity for HTTP/2, beside that for direct calls.
inline constexpr char kCapacityArg[] = "grpc_cxl.capacity";

// The live acceptors of a server. Thread-safe.
void RegisterAcceptor(const void* server, const std::shared_ptr<Acceptor>& acceptor);
std::vector<std::shared_ptr<Acceptor>> FindAcceptors(const void* server);

// The live network addresses of a server, which perhaps have no acceptor yet, and gRPC's own
// listeners for them. Thread-safe.
void RegisterAddress(const void* server, const std::shared_ptr<RegisteredAddress>& address);
std::vector<std::shared_ptr<RegisteredAddress>> FindAddresses(const void* server);
void RegisterNetworkListener(const void* server, const std::shared_ptr<NetworkListener>& listener);
std::vector<std::shared_ptr<NetworkListener>> FindNetworkListeners(const void* server);

// A server registers each name as which it is also known once, whatever the number of its
// listeners: true if no listener of it has the name yet. Thread-safe.
bool TakeName(const void* server, const ServiceName& name);
void GiveNameBack(const void* server, const ServiceName& name);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_ACCEPTOR_REGISTRY_H_
