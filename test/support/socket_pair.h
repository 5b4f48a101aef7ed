// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_SUPPORT_SOCKET_PAIR_H_
#define GRPC_CXL_TEST_SUPPORT_SOCKET_PAIR_H_

#include <sys/socket.h>

#include "absl/log/check.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::internal {

// A connected pair of unix sockets, as a listener and a dialler have them.
struct SocketPair {
  explicit SocketPair(int type = SOCK_SEQPACKET | SOCK_NONBLOCK) {
    int fds[2];
    PCHECK(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) == 0);
    ours = UniqueFd(fds[0]);
    theirs = UniqueFd(fds[1]);
  }

  UniqueFd ours, theirs;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_SUPPORT_SOCKET_PAIR_H_
