// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/local_server.h"

#include "absl/log/log.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/network_namespace.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"

namespace grpc_cxl::internal {

using grpc_event_engine::experimental::EventEngine;

absl::Status LocalServer::Check(int socket) const {
  const absl::StatusOr<PeerIdentity> server = IdentifyPeer(socket);
  if (!server.ok()) return server.status();
  return CheckAnswersFor(address, entry, server->uid);
}

std::optional<LocalServer> FindLocalServer(const EventEngine::ResolvedAddress& address,
                                           const EndpointSettings& settings) {
  if (settings.region.has_value()) return std::nullopt;  // has names only
  const std::optional<TcpAddress> tcp = TcpAddress::From(address.address(), address.size());
  if (!tcp.has_value()) return std::nullopt;
  const std::optional<NetworkNamespace> space = NetworkNamespace::OfThread();
  if (!space.has_value()) return std::nullopt;
  const absl::StatusOr<RendezvousDirectory> directory =
      RendezvousDirectory::Find(settings.directory);
  if (!directory.ok()) {
    if (!absl::IsNotFound(directory.status())) {
      LOG_EVERY_N_SEC(WARNING, 60) << "network addresses are reached over the network only: "
                                   << directory.status().message();
    }
    return std::nullopt;
  }
  ServiceName exact = NameOfAddress(*tcp, *space);
  if (IsRegistered(*directory, exact)) {
    return LocalServer{std::move(exact), *tcp, AddressEntry::kExact};
  }
  ServiceName any = NameOfAnyAddress(tcp->port, *space);
  if (IsRegistered(*directory, any)) return LocalServer{std::move(any), *tcp, AddressEntry::kAny};
  return std::nullopt;
}

}  // namespace grpc_cxl::internal
