// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/local_server.h"

#include <utility>

#include "absl/log/log.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/rendezvous/address_owner.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/host_name.h"
#include "grpc_cxl/rendezvous/network_namespace.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "grpc_cxl/rendezvous/tcp_address.h"
#include "grpc_cxl/rendezvous/unix_file.h"
#include "grpc_cxl/rendezvous/user_namespace.h"

namespace grpc_cxl::internal {

using grpc_event_engine::experimental::EventEngine;

namespace {

// A check of the server's uid, by the kernel's word.
std::function<absl::Status(int)> OfUid(std::function<absl::Status(uid_t)> check) {
  return [check = std::move(check)](int socket) {
    const absl::StatusOr<PeerIdentity> server = IdentifyPeer(socket);
    return server.ok() ? check(server->uid) : server.status();
  };
}

std::optional<LocalServer> FindByAddress(const TcpAddress& address,
                                         const RendezvousDirectory& directory) {
  const std::optional<NetworkNamespace> space = NetworkNamespace::OfThread();
  if (!space.has_value()) {
    LOG_FIRST_N(WARNING, 1) << "network addresses are reached over the network only, because "
                               "/proc/thread-self/ns/net is missing; mount /proc";
    return std::nullopt;
  }
  for (const AddressEntry entry : {AddressEntry::kExact, AddressEntry::kAny}) {
    ServiceName name = entry == AddressEntry::kExact ? NameOfAddress(address, *space)
                                                     : NameOfAnyAddress(address.port, *space);
    if (!IsRegistered(directory, name)) continue;
    return LocalServer{std::move(name), OfUid([address, entry](uid_t uid) {
                         return CheckAnswersFor(address, entry, uid);
                       })};
  }
  return std::nullopt;
}

std::optional<LocalServer> FindByFile(const UnixFile& file, const RendezvousDirectory& directory) {
  if (!IsRegistered(directory, file.Name())) return std::nullopt;
  return LocalServer{
      file.Name(), OfUid([owner = file.owner](uid_t uid) {
        if (uid == owner && !MayBeUnmapped(uid)) return absl::OkStatus();
        return absl::PermissionDeniedError(
            absl::StrCat("the socket's file belongs to uid ", owner, ", the server to uid ", uid));
      })};
}

std::optional<LocalServer> FindByHost(const std::string& host, const TrustedUsers& users,
                                      const RendezvousDirectory& directory) {
  absl::StatusOr<ServiceName> name = NameOfHost(host);
  if (!name.ok() || !IsRegistered(directory, *name)) return std::nullopt;
  const TrustedUsers near{.trusted_uids = users.trusted_uids};
  return LocalServer{
      *std::move(name), OfUid([near, secret = users.secret.has_value()](uid_t uid) {
        if (secret || near.Allows(uid)) return absl::OkStatus();
        return absl::PermissionDeniedError(absl::StrCat(
            "the server that says so has uid ", uid,
            ", which may serve cxl: names but not the hosts of network targets; add it to "
            "trusted_uids, or give both ends a secret_file"));
      })};
}

}  // namespace

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
  if (const auto tcp = TcpAddress::From(address.address(), address.size())) {
    if (auto found = FindByAddress(*tcp, *directory)) return found;
  }
  if (const auto file = UnixFile::Of(address.address(), address.size())) {
    if (auto found = FindByFile(*file, *directory)) return found;
  }
  return FindByHost(host, settings.users, *directory);
}

}  // namespace grpc_cxl::internal
