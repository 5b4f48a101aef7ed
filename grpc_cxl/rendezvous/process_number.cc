// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/process_number.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "absl/status/status.h"
#include "grpc_cxl/base/unique_fd.h"

#ifndef SO_PEERPIDFD  // newer than some systems' headers
#define SO_PEERPIDFD 77
#endif

namespace grpc_cxl::internal {

absl::StatusOr<uint64_t> OwnProcessNumber() {
  // Not by pidfd_open(), which a sandbox may forbid: both ends must get their numbers or neither.
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    return absl::ErrnoToStatus(errno, "cannot make a socket pair");
  }
  const UniqueFd one(pair[0]), other(pair[1]);
  return PeerProcessNumber(one.get());
}

absl::StatusOr<uint64_t> PeerProcessNumber(int socket) {
  int fd = -1;
  socklen_t size = sizeof(fd);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) != 0) {
    if (errno == ENOPROTOOPT) return 0;
    return absl::ErrnoToStatus(errno, "cannot identify the peer (SO_PEERPIDFD)");
  }
  const UniqueFd process(fd);
  struct stat found;
  if (fstat(process.get(), &found) != 0) return absl::ErrnoToStatus(errno, "cannot stat a pidfd");
  return found.st_ino;
}

}  // namespace grpc_cxl::internal
