// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/local_server.h"

#include <utility>

#include "absl/log/log.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/host_name.h"
#include "grpc_cxl/rendezvous/network_namespace.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"

namespace grpc_cxl::internal {

using grpc_event_engine::experimental::EventEngine;

namespace {

std::optional<LocalServer> FindByAddress(const EventEngine::ResolvedAddress& address,
                                         const RendezvousDirectory& directory) {
  const std::optional<TcpAddress> tcp = TcpAddress::From(address.address(), address.size());
  if (!tcp.has_value()) return std::nullopt;
  const std::optional<NetworkNamespace> space = NetworkNamespace::OfThread();
  if (!space.has_value()) return std::nullopt;
  ServiceName exact = NameOfAddress(*tcp, *space);
  if (IsRegistered(directory, exact)) {
    return LocalServer{std::move(exact), *tcp, AddressEntry::kExact};
  }
  ServiceName any = NameOfAnyAddress(tcp->port, *space);
  if (IsRegistered(directory, any)) return LocalServer{std::move(any), *tcp, AddressEntry::kAny};
  return std::nullopt;
}

}  // namespace

absl::Status LocalServer::Check(int socket, const TrustedUsers& users) const {
  const absl::StatusOr<PeerIdentity> server = IdentifyPeer(socket);
  if (!server.ok()) return server.status();
  if (address.has_value()) return CheckAnswersFor(*address, entry, server->uid);
  const TrustedUsers near{.trusted_uids = users.trusted_uids};
  if (users.secret.has_value() || near.Allows(server->uid)) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(
      "the server that says so has uid ", server->uid,
      ", which may serve cxl: names but not the hosts of network targets; add it to trusted_uids, "
      "or give both ends a secret_file"));
}

std::optional<LocalServer> FindLocalServer(const EventEngine::ResolvedAddress& address,
                                           const std::string& host,
                                           const EndpointSettings& settings) {
  if (settings.region.has_value()) return std::nullopt;  // has names only
  const absl::StatusOr<RendezvousDirectory> directory =
      RendezvousDirectory::Find(settings.directory);
  if (!directory.ok()) {
    if (!absl::IsNotFound(directory.status())) {
      LOG_EVERY_N_SEC(WARNING, 60) << "network addresses are reached over the network only: "
                                   << directory.status().message();
    }
    return std::nullopt;
  }
  if (auto found = FindByAddress(address, *directory)) return found;
  absl::StatusOr<ServiceName> name = NameOfHost(host);
  if (!name.ok() || !IsRegistered(*directory, *name)) return std::nullopt;
  return LocalServer{*std::move(name), std::nullopt};
}

}  // namespace grpc_cxl::internal
