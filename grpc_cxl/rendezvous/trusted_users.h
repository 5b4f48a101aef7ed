// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_TRUSTED_USERS_H_
#define GRPC_CXL_RENDEZVOUS_TRUSTED_USERS_H_

#include <sys/types.h>

#include <optional>
#include <vector>

#include "grpc_cxl/rendezvous/shared_secret.h"

namespace grpc_cxl::internal {

// The users that may connect: our own (the effective uid), root, `allowed_uids`, `trusted_uids`,
// and the members of `allowed_gids`. A peer cannot choose its uid and groups: the kernel tells them
// (SO_PEERCRED, SO_PEERGROUPS). A user or group without a number in our user namespace is never
// among them, whatever the lists hold (user_namespace.h).
//
// With `everybody`, all: file modes decide who can enter the directory in which peers meet. With
// `secret`, those who prove that they know it, and nobody else: no uid counts.
struct TrustedUsers {
  std::vector<uid_t> allowed_uids = {};
  std::vector<uid_t> trusted_uids = {};  // with all of our memory: see PeerTrust
  std::vector<gid_t> allowed_gids = {};

  bool everybody = false;  // that can enter the trusted directory
  std::optional<SharedSecret> secret = std::nullopt;

  bool Allows(uid_t uid) const;  // by the uid alone
  // The process at the other end of a unix socket, which runs as `uid`.
  bool AllowsPeer(int socket, uid_t uid) const;

  friend bool operator==(const TrustedUsers&, const TrustedUsers&) = default;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_TRUSTED_USERS_H_
