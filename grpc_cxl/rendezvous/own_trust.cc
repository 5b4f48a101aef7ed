// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/own_trust.h"

#include <errno.h>
#include <sys/socket.h>

#include "grpc_cxl/base/errno_status.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/rendezvous/handshake.h"

namespace grpc_cxl::internal {

absl::StatusOr<PeerTrust> OwnTrust() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    return ErrnoStatus(errno, "cannot make a socket pair");
  }
  const UniqueFd one(pair[0]), other(pair[1]);
  const absl::StatusOr<PeerIdentity> self = IdentifyPeer(one.get());
  if (!self.ok()) return self.status();
  return JudgePeer(one.get(), *self, TrustedUsers());
}

}  // namespace grpc_cxl::internal
