// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/address_owner.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/rendezvous/ask_kernel.h"
#include "grpc_cxl/rendezvous/own_address.h"
#include "grpc_cxl/rendezvous/user_namespace.h"

namespace grpc_cxl::internal {
namespace {

struct ListeningSocket {
  TcpAddress address;
  bool only_v6 = false;
  uid_t uid = 0;

  bool Takes(const TcpAddress& wanted) const {
    if (!address.IsAny()) return address == wanted;
    return address.IsIpv4() == wanted.IsIpv4() || !(address.IsIpv4() || only_v6);
  }
};

bool IsOnlyV6(const nlmsghdr& answer) {
  size_t left = answer.nlmsg_len - NLMSG_LENGTH(sizeof(inet_diag_msg));
  const auto* const message = static_cast<const inet_diag_msg*>(NLMSG_DATA(&answer));
  for (auto* attribute = reinterpret_cast<const rtattr*>(message + 1); RTA_OK(attribute, left);
       attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type == INET_DIAG_SKV6ONLY) {
      return *static_cast<const uint8_t*>(RTA_DATA(attribute)) != 0;
    }
  }
  return false;
}

std::optional<ListeningSocket> Parse(const nlmsghdr& answer) {
  if (answer.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
      answer.nlmsg_len < NLMSG_LENGTH(sizeof(inet_diag_msg))) {
    return std::nullopt;
  }
  const auto* const message = static_cast<const inet_diag_msg*>(NLMSG_DATA(&answer));
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = message->id.idiag_sport;
  std::memcpy(&v4.sin_addr, message->id.idiag_src, sizeof(v4.sin_addr));
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = message->id.idiag_sport;
  std::memcpy(&v6.sin6_addr, message->id.idiag_src, sizeof(v6.sin6_addr));
  const std::optional<TcpAddress> address =
      message->idiag_family == AF_INET
          ? TcpAddress::From(reinterpret_cast<const sockaddr*>(&v4), sizeof(v4))
          : TcpAddress::From(reinterpret_cast<const sockaddr*>(&v6), sizeof(v6));
  if (!address.has_value()) return std::nullopt;
  return ListeningSocket{
      .address = *address, .only_v6 = IsOnlyV6(answer), .uid = message->idiag_uid};
}

// The sockets of the calling thread's network namespace that listen on this port.
absl::StatusOr<std::vector<ListeningSocket>> ListeningSockets(uint16_t port) {
  std::vector<ListeningSocket> sockets;
  for (const int family : {AF_INET6, AF_INET}) {
    struct {
      nlmsghdr header;
      inet_diag_req_v2 filter;
    } request{};
    request.header.nlmsg_len = sizeof(request);
    request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.filter.sdiag_family = family;
    request.filter.sdiag_protocol = IPPROTO_TCP;
    request.filter.idiag_states = 1u << TCP_LISTEN;
    request.filter.id.idiag_sport = htons(port);
    const absl::Status asked =
        AskKernel(NETLINK_SOCK_DIAG, request.header, [&](const nlmsghdr& answer) {
          const std::optional<ListeningSocket> socket = Parse(answer);
          if (socket.has_value() && socket->address.port == port) sockets.push_back(*socket);
        });
    if (!asked.ok()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the kernel does not tell which sockets listen (NETLINK_SOCK_DIAG): ", asked.message()));
    }
  }
  return sockets;
}

absl::Status Refuse(const TcpAddress& address, const auto&... why) {
  return absl::PermissionDeniedError(
      absl::StrCat("port ", address.port, " of ", address.Ip(), ": ", why...));
}

}  // namespace

absl::Status CheckAnswersFor(const TcpAddress& address, AddressEntry entry, uid_t uid) {
  if (MayBeUnmapped(uid)) {
    return Refuse(address, "the server's user has no number in this user namespace");
  }
  // A socket listens on after its address has moved to another host.
  const absl::StatusOr<bool> own = IsOwnAddress(address);
  if (!own.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the kernel does not tell which addresses are its own (RTM_GETROUTE): ",
                     own.status().message()));
  }
  if (!*own) return Refuse(address, "this address is not one of this network namespace");
  absl::StatusOr<std::vector<ListeningSocket>> sockets = ListeningSockets(address.port);
  if (!sockets.ok()) return sockets.status();
  std::erase_if(*sockets, [&](const ListeningSocket& socket) { return !socket.Takes(address); });
  // The kernel prefers a socket of just this address.
  const auto is_exact = [](const ListeningSocket& socket) { return !socket.address.IsAny(); };
  const bool exact = std::any_of(sockets->begin(), sockets->end(), is_exact);
  if (sockets->empty()) return Refuse(address, "no socket listens there");
  if (exact != (entry == AddressEntry::kExact)) {
    return Refuse(address, "another socket than the server's listens there");
  }
  for (const ListeningSocket& socket : *sockets) {
    if (is_exact(socket) == exact && socket.uid != uid) {
      return Refuse(address, "the socket that listens there belongs to uid ", socket.uid,
                    ", the server to uid ", uid);
    }
  }
  return absl::OkStatus();
}

}  // namespace grpc_cxl::internal
