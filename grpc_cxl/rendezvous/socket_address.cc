// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/socket_address.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace grpc_cxl::internal {

absl::StatusOr<sockaddr_un> SocketAddress(int directory, const std::string& file) {
  if (access("/proc/self/fd", F_OK) != 0) {
    return absl::FailedPreconditionError(
        "/proc is missing: sockets are reached through /proc/self/fd; mount /proc in this "
        "container or chroot");
  }
  const std::string path = absl::StrCat("/proc/self/fd/", directory, "/", file);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the socket address ", path, " is too long: this process has too many open files"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

}  // namespace grpc_cxl::internal
