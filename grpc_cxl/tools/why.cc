// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/tools/why.h"

#include <netdb.h>

#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "grpc_cxl/event_engine/probe.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/name_files.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "grpc_cxl/rendezvous/replica_name.h"
#include "grpc_cxl/rendezvous/service_name.h"
#include "grpc_cxl/rendezvous/tcp_address.h"
#include "grpc_cxl/rendezvous/unix_file.h"
#include "grpc_cxl/tools/host_status.h"
#include "grpc_cxl/tools/status_report.h"

namespace grpc_cxl::internal {
namespace {

// A socket's address.
struct Address {
  Address(const void* of, socklen_t its_size) : size(its_size) { std::memcpy(&bytes, of, size); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&bytes); }

  sockaddr_storage bytes{};
  socklen_t size;
};

std::string Through(const std::string& peer) {
  return absl::StrCat("through memory: the server is the process with ", peer);
}

// gRPC's targets of unix sockets.
absl::StatusOr<std::vector<Address>> ResolvePath(absl::string_view path) {
  absl::ConsumePrefix(&path, "//");
  const std::optional<sockaddr_un> address = UnixAddress(path);
  if (!address.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", path, "\" is no path of a unix socket"));
  }
  return std::vector{Address(&*address, sizeof(*address))};
}

absl::StatusOr<std::vector<Address>> Resolve(absl::string_view host_and_port) {
  const size_t colon = host_and_port.rfind(':');
  std::string host(host_and_port.substr(0, colon)), port(host_and_port.substr(colon + 1));
  if (absl::StartsWith(host, "[") && absl::EndsWith(host, "]")) {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &list); error != 0) {
    return absl::NotFoundError(
        absl::StrCat("cannot resolve ", host_and_port, ": ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(list, freeaddrinfo);
  std::vector<Address> addresses;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    addresses.emplace_back(entry->ai_addr, entry->ai_addrlen);
  }
  return addresses;
}

// What other files of the directory say about an address that nobody has registered for us.
std::string Elsewhere(const RendezvousDirectory& directory, const Address& address) {
  const auto tcp = TcpAddress::From(address.get(), address.size);
  if (!tcp.has_value()) return "";
  std::string text;
  ForEachFile(directory, [&](absl::string_view file) {
    for (const std::string& ip : {tcp->Ip(), std::string("any")}) {
      if (!absl::StartsWith(file, absl::StrCat("tcp=", ip, "=", tcp->port, "=")) ||
          !absl::EndsWith(file, ".sock")) {
        continue;
      }
      text = absl::StrCat("; a server of another network namespace or another rollout has (",
                          absl::CHexEscape(file), ")");
    }
    return text.empty();
  });
  return text;
}

std::string ForName(const ServiceName& name, const ChannelSettings& settings) {
  const absl::StatusOr<std::string> reached = ProbeName(name, settings);
  if (reached.ok()) return Through(*reached);
  std::string text = absl::StrCat("not at all: ", reached.status().message());
  if (settings.region.has_value() || !absl::IsUnavailable(reached.status())) return text;
  const auto directory = RendezvousDirectory::Find(settings.directory);
  if (directory.ok() &&
      (IsRegistered(*directory, name) || !FindReplicas(*directory, name).empty())) {
    absl::StrAppend(&text, "; its socket is there, so the server has died");
  }
  return text;
}

std::string ForAddress(const Address& address, const std::string& host,
                       const ChannelSettings& settings) {
  const AddressProbe probe = ProbeAddress(address.get(), address.size, host, settings);
  std::string text = absl::StrCat("over the network: ", probe.why_none);
  if (probe.servers.empty()) {
    const auto directory = RendezvousDirectory::Find(settings.directory);
    if (directory.ok()) absl::StrAppend(&text, Elsewhere(*directory, address));
  }
  for (const auto& [name, reached] : probe.servers) {
    if (reached.ok()) return Through(*reached);
    absl::StrAppend(&text, &name == &probe.servers.front().name ? "" : "; ",
                    "a server of this host has registered ", DisplayName(name.str().c_str()),
                    ", but ", reached.status().message());
  }
  return text;
}

// Whether a name, or that of which it is a replica's, is that of `target`; "*:50051" is that of
// each address with this port.
bool IsFor(const char* name, absl::string_view target) {
  const std::string shown = DisplayName(ServiceOf(ServiceName::Reserved(name)).str().c_str());
  if (absl::StartsWith(shown, "*:")) return absl::EndsWith(target, shown.substr(1));
  return shown == target;
}

// What processes with a status page have met.
std::string OfOthers(const HostStatus& host, absl::string_view shown) {
  std::string text;
  for (const JoinedConnection& joined : JoinConnections(host)) {
    if (!IsFor(joined.any().name, shown)) continue;
    absl::StrAppend(&text, "\n  ",
                    ProcessText(joined.client_process, joined.client ? 0 : joined.server->peer_pid),
                    " is connected through memory");
  }
  for (const ProcessStatus& process : host.processes) {
    for (const StatusNetwork& network : process.page.networks) {
      if (network.address != shown) continue;
      absl::StrAppend(&text, "\n  ", ProcessText(&process, 0),
                      " has connected over the network: ", network.reason);
    }
    for (const StatusName& name : process.page.names) {
      if (name.refused == 0 || !IsFor(name.name, shown)) continue;
      absl::StrAppend(&text, "\n  ", ProcessText(&process, 0), " has refused ", name.refused,
                      " clients, the last one because ", name.last_refusal);
    }
  }
  return text;
}

std::string OfOthers(const ChannelSettings& settings, absl::string_view shown) {
  const auto directory = RendezvousDirectory::Find(settings.directory);
  return directory.ok() ? OfOthers(ReadHostStatus(*directory), shown) : "";
}

}  // namespace

absl::StatusOr<std::string> Why(const std::string& target, const ChannelSettings& settings) {
  absl::string_view rest = target;
  if (ServiceName::IsTarget(target) || !absl::StrContains(target, ':')) {
    const auto name = ServiceName::IsTarget(target) ? ServiceName::FromTarget(target)
                                                    : ServiceName::Parse(target);
    if (!name.ok()) return name.status();
    return absl::StrCat(ForName(*name, settings), OfOthers(settings, name->str()));
  }
  const bool is_unix = absl::ConsumePrefix(&rest, "unix:");
  if (!is_unix) absl::ConsumePrefix(&rest, "dns:///");
  const auto addresses = is_unix ? ResolvePath(rest) : Resolve(rest);
  if (!addresses.ok()) return addresses.status();
  std::string text;
  for (const Address& address : *addresses) {
    const auto tcp = TcpAddress::From(address.get(), address.size);
    const std::string shown =
        tcp.has_value() ? DisplayName(absl::StrCat("tcp=", tcp->Ip(), "=", tcp->port).c_str())
                        : std::string(rest);
    absl::StrAppend(&text, text.empty() ? "" : "\n",
                    addresses->size() == 1 ? "" : absl::StrCat(shown, ": "),
                    ForAddress(address, std::string(rest), settings), OfOthers(settings, shown));
  }
  return text;
}

}  // namespace grpc_cxl::internal
