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
#include "grpc_cxl/rendezvous/own_address.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "grpc_cxl/rendezvous/replica_name.h"
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

void AddByAddress(const TcpAddress& address, std::vector<LocalServer>* servers) {
  const std::optional<NetworkNamespace> space = NetworkNamespace::OfThread();
  if (!space.has_value()) {
    LOG_FIRST_N(WARNING, 1) << "network addresses are reached over the network only, because "
                               "/proc/thread-self/ns/net is missing; mount /proc";
    return;
  }
  for (const AddressEntry entry : {AddressEntry::kExact, AddressEntry::kAny}) {
    const bool exact = entry == AddressEntry::kExact;
    servers->push_back(
        {exact ? NameOfAddress(address, *space) : NameOfAnyAddress(address.port, *space),
         OfUid([address, entry](uid_t uid) { return CheckAnswersFor(address, entry, uid); })});
  }
}

void AddByFile(const UnixFile& file, std::vector<LocalServer>* servers) {
  servers->push_back(
      {file.Name(), OfUid([owner = file.owner](uid_t uid) {
         if ((uid == owner && !MayBeUnmapped(uid)) || uid == 0) return absl::OkStatus();
         return absl::PermissionDeniedError(
             absl::StrCat("the socket's file belongs to uid ", owner, ", the server to uid ", uid));
       })});
}

void AddByHost(const std::string& host, const TrustedUsers& users,
               std::vector<LocalServer>* servers) {
  absl::StatusOr<ServiceName> name = NameOfHost(host);
  if (!name.ok()) return;
  const TrustedUsers near{.trusted_uids = users.trusted_uids};
  servers->push_back(
      {*std::move(name), OfUid([near, secret = users.secret.has_value()](uid_t uid) {
         if (secret || near.Allows(uid)) return absl::OkStatus();
         return absl::PermissionDeniedError(absl::StrCat(
             "the server that says so has uid ", uid,
             ", which may serve cxl: names but not the hosts of network targets; add it to "
             "trusted_uids, or give both ends a secret_file"));
       })});
}

// Whether the kernel says that the address is another host's.
bool IsElsewhere(const TcpAddress& address) { return !IsOwnAddress(address).value_or(true); }

std::vector<LocalServer> Candidates(const EventEngine::ResolvedAddress& address,
                                    const std::string& host, const TrustedUsers& users) {
  std::vector<LocalServer> servers;
  const auto tcp = TcpAddress::From(address.address(), address.size());
  // The port alone is that of many servers elsewhere.
  if (tcp.has_value() && !IsElsewhere(*tcp)) AddByAddress(*tcp, &servers);
  if (const auto file = UnixFile::Of(address.address(), address.size())) {
    AddByFile(*file, &servers);
  }
  AddByHost(host, users, &servers);
  return servers;
}

}  // namespace

std::vector<LocalServer> FindLocalServers(const EventEngine::ResolvedAddress& address,
                                          const std::string& host, const EndpointSettings& settings,
                                          std::string* why_none) {
  const auto none = [why_none](absl::string_view why) -> std::vector<LocalServer> {
    if (why_none != nullptr) *why_none = std::string(why);
    return {};
  };
  if (settings.region.has_value()) {
    return none("in a region there are names only (unset GRPC_CXL_REGION)");
  }
  const absl::StatusOr<RendezvousDirectory> directory =
      RendezvousDirectory::Find(settings.directory);
  if (!directory.ok()) {
    if (!absl::IsNotFound(directory.status())) {
      LOG_EVERY_N_SEC(WARNING, 60) << "network addresses are reached over the network only: "
                                   << directory.status().message();
    }
    return none(directory.status().message());
  }
  std::vector<LocalServer> servers = Candidates(address, host, settings.users);
  std::erase_if(servers, [&](const LocalServer& server) {
    return !IsRegistered(*directory, server.name) && FindReplicas(*directory, server.name).empty();
  });
  if (!servers.empty()) return servers;
  const std::string& rollout = directory->rollout();
  return none(
      absl::StrCat("no server has registered this address in ", directory->path(),
                   rollout.empty() ? "" : absl::StrCat(" for the rollout \"", rollout, "\""),
                   NetworkNamespace::OfThread().has_value()
                       ? ""
                       : ", and without /proc/thread-self/ns/net none can be found; mount /proc"));
}

std::vector<ServiceName> LocalNames(const EventEngine::ResolvedAddress& address,
                                    const std::string& host, const EndpointSettings& settings) {
  std::vector<ServiceName> names;
  if (settings.region.has_value()) return names;
  for (const LocalServer& server : Candidates(address, host, settings.users)) {
    names.push_back(server.name);
  }
  return names;
}

}  // namespace grpc_cxl::internal
