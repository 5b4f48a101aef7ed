// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/local_server.h"

#include <optional>
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

void AddByAddress(const TcpAddress& address, const RendezvousDirectory& directory,
                  LocalServers* servers) {
  const std::optional<NetworkNamespace> space = NetworkNamespace::OfThread();
  if (!space.has_value()) {
    LOG_FIRST_N(WARNING, 1) << "network addresses are reached over the network only, because "
                               "/proc/thread-self/ns/net is missing; mount /proc";
    servers->why_none = "/proc/thread-self/ns/net is missing; mount /proc";
    return;
  }
  for (const AddressEntry entry : {AddressEntry::kExact, AddressEntry::kAny}) {
    ServiceName name = entry == AddressEntry::kExact ? NameOfAddress(address, *space)
                                                     : NameOfAnyAddress(address.port, *space);
    if (!IsRegistered(directory, name)) continue;
    servers->list.push_back({std::move(name), OfUid([address, entry](uid_t uid) {
                               return CheckAnswersFor(address, entry, uid);
                             })});
  }
}

void AddByFile(const UnixFile& file, const RendezvousDirectory& directory, LocalServers* servers) {
  if (!IsRegistered(directory, file.Name())) return;
  servers->list.push_back(
      {file.Name(), OfUid([owner = file.owner](uid_t uid) {
         if ((uid == owner && !MayBeUnmapped(uid)) || uid == 0) return absl::OkStatus();
         return absl::PermissionDeniedError(
             absl::StrCat("the socket's file belongs to uid ", owner, ", the server to uid ", uid));
       })});
}

void AddByHost(const std::string& host, const TrustedUsers& users,
               const RendezvousDirectory& directory, LocalServers* servers) {
  absl::StatusOr<ServiceName> name = NameOfHost(host);
  if (!name.ok() || !IsRegistered(directory, *name)) return;
  const TrustedUsers near{.trusted_uids = users.trusted_uids};
  servers->list.push_back(
      {*std::move(name), OfUid([near, secret = users.secret.has_value()](uid_t uid) {
         if (secret || near.Allows(uid)) return absl::OkStatus();
         return absl::PermissionDeniedError(absl::StrCat(
             "the server that says so has uid ", uid,
             ", which may serve cxl: names but not the hosts of network targets; add it to "
             "trusted_uids, or give both ends a secret_file"));
       })});
}

}  // namespace

LocalServers FindLocalServers(const EventEngine::ResolvedAddress& address, const std::string& host,
                              const EndpointSettings& settings) {
  LocalServers servers;
  if (settings.region.has_value()) {
    servers.why_none = "in a region there are names only (unset GRPC_CXL_REGION)";
    return servers;
  }
  const absl::StatusOr<RendezvousDirectory> directory =
      RendezvousDirectory::Find(settings.directory);
  if (!directory.ok()) {
    if (!absl::IsNotFound(directory.status())) {
      LOG_EVERY_N_SEC(WARNING, 60) << "network addresses are reached over the network only: "
                                   << directory.status().message();
    }
    servers.why_none = std::string(directory.status().message());
    return servers;
  }
  if (const auto tcp = TcpAddress::From(address.address(), address.size())) {
    AddByAddress(*tcp, *directory, &servers);
  }
  if (const auto file = UnixFile::Of(address.address(), address.size())) {
    AddByFile(*file, *directory, &servers);
  }
  AddByHost(host, settings.users, *directory, &servers);
  if (servers.list.empty() && servers.why_none.empty()) {
    const std::string& rollout = directory->rollout();
    servers.why_none =
        absl::StrCat("no server has registered this address in ", directory->path(),
                     rollout.empty() ? "" : absl::StrCat(" for the rollout \"", rollout, "\""));
  }
  return servers;
}

}  // namespace grpc_cxl::internal
