#ifndef GRPC_CXL_TEST_DOORBELL_SOCKET_PAIR_H_
#define GRPC_CXL_TEST_DOORBELL_SOCKET_PAIR_H_

#include <string.h>
#include <sys/socket.h>

#include <cerrno>

#include "absl/log/check.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::internal {

// A connected pair of unix sockets: the line between two doorbells.
struct SocketPair {
  explicit SocketPair(int type) {
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0) << strerror(errno);
    ours = UniqueFd(fds[0]);
    theirs = UniqueFd(fds[1]);
  }

  UniqueFd ours, theirs;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_DOORBELL_SOCKET_PAIR_H_
