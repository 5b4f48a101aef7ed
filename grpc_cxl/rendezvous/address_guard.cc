// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/address_guard.h"

#include <sys/socket.h>

#include "absl/strings/match.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/rendezvous/trusted_users.h"

#ifndef SO_NETNS_COOKIE  // Linux 5.14
#define SO_NETNS_COOKIE 71
#endif

namespace grpc_cxl::internal {
namespace {

// The number of a socket's network namespace. A unix socket that was accepted has its client's.
std::optional<uint64_t> NetworkOf(int socket) {
  uint64_t cookie;
  socklen_t size = sizeof(cookie);
  if (getsockopt(socket, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0) return std::nullopt;
  return cookie;
}

}  // namespace

AddressGuard::Kind AddressGuard::KindOf(const ServiceName& name) {
  if (absl::StartsWith(name.str(), "unix=")) return Kind::kUnixSocket;
  const bool loopback =
      absl::StartsWith(name.str(), "tcp=127.") || absl::StartsWith(name.str(), "tcp=::1=");
  return loopback ? Kind::kLoopback : Kind::kOpen;
}

AddressGuard::AddressGuard(const ServiceName& name) : kind_(KindOf(name)) {
  if (kind_ != Kind::kLoopback) return;
  const UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  network_ = NetworkOf(socket.get());
}

absl::Status AddressGuard::Admits(int socket, uid_t uid) const {
  if (kind_ == Kind::kUnixSocket && !TrustedUsers{}.Allows(uid)) {
    return absl::PermissionDeniedError(
        "the server listens on a unix socket, which only its own user and root reach through "
        "memory");
  }
  if (kind_ == Kind::kLoopback && (!network_.has_value() || NetworkOf(socket) != network_)) {
    return absl::PermissionDeniedError(
        "the server listens on the loopback interface of another network namespace, or the kernel "
        "does not tell (SO_NETNS_COOKIE, Linux 5.14)");
  }
  return absl::OkStatus();
}

}  // namespace grpc_cxl::internal
