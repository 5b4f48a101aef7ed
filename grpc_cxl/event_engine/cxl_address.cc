// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/cxl_address.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <utility>

#include "absl/log/check.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "grpc_cxl/rendezvous/peer_text.h"
#include "grpc_cxl/rendezvous/replica_name.h"
#include "grpc_cxl/rendezvous/tcp_address.h"

namespace grpc_cxl::internal {
namespace {

constexpr absl::string_view kBegin = "cxl:///";
constexpr absl::string_view kOptions = "?options=";

ResolvedAddress AbstractAddress(const std::string& text) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  CHECK_LT(text.size(), sizeof(address.sun_path));
  memcpy(address.sun_path + 1, text.data(), text.size());
  return ResolvedAddress(reinterpret_cast<const sockaddr*>(&address),
                         offsetof(sockaddr_un, sun_path) + 1 + text.size());
}

}  // namespace

absl::StatusOr<CxlAddress> ParseCxlTarget(absl::string_view target) {
  int options = -1;
  if (const size_t at = target.rfind(kOptions); at != absl::string_view::npos) {
    if (absl::SimpleAtoi(target.substr(at + kOptions.size()), &options)) {
      target = target.substr(0, at);
    }
  }
  absl::StatusOr<ServiceName> name = ServiceName::FromTarget(target);
  if (!name.ok()) return name.status();
  return CxlAddress{*std::move(name), options};
}

ResolvedAddress EncodeAddress(const CxlAddress& address) {
  return AbstractAddress(address.options < 0
                             ? absl::StrCat(kBegin, address.name.str())
                             : absl::StrCat(kBegin, address.name.str(), kOptions, address.options));
}

std::optional<CxlAddress> DecodeAddress(const ResolvedAddress& address) {
  constexpr size_t kPathOffset = offsetof(sockaddr_un, sun_path);
  if (address.size() <= kPathOffset + 1 || address.address()->sa_family != AF_UNIX) {
    return std::nullopt;
  }
  const char* path = reinterpret_cast<const sockaddr_un*>(address.address())->sun_path;
  if (path[0] != '\0') return std::nullopt;
  const absl::string_view text(path + 1, address.size() - kPathOffset - 1);
  if (!ServiceName::IsTarget(text)) return std::nullopt;
  // As the resolver writes it. Replicas of network addresses are not for it to name: their servers
  // are checked where the address is known.
  if (auto replica = ParseReplicaName(absl::StripPrefix(text, kBegin));
      replica.has_value() && ServiceName::Parse(ServiceOf(*replica).str()).ok()) {
    return CxlAddress{*std::move(replica)};
  }
  absl::StatusOr<CxlAddress> parsed = ParseCxlTarget(text);
  if (!parsed.ok()) return std::nullopt;
  return *std::move(parsed);
}

absl::string_view UnixPath(const ResolvedAddress& address) {
  constexpr size_t kPathOffset = offsetof(sockaddr_un, sun_path);
  if (address.size() <= kPathOffset || address.address()->sa_family != AF_UNIX) return "";
  const char* const path = reinterpret_cast<const sockaddr_un*>(address.address())->sun_path;
  return absl::string_view(path, strnlen(path, address.size() - kPathOffset));
}

ResolvedAddress LocalAddress(const ServiceName& name) {
  const std::optional<TcpAddress> tcp = AddressOfName(ServiceOf(name));
  if (!tcp.has_value()) return EncodeAddress({name});
  if (tcp->IsIpv4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_addr = tcp->Ipv4();
    v4.sin_port = htons(tcp->port);
    return ResolvedAddress(reinterpret_cast<const sockaddr*>(&v4), sizeof(v4));
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_addr = tcp->ip;
  v6.sin6_port = htons(tcp->port);
  return ResolvedAddress(reinterpret_cast<const sockaddr*>(&v6), sizeof(v6));
}

ResolvedAddress PeerAddress(const ServiceName& name, const std::string& peer_identity) {
  return AbstractAddress(PeerAddressText(name, peer_identity));
}

}  // namespace grpc_cxl::internal
