// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_TRUSTED_USERS_H_
#define GRPC_CXL_RENDEZVOUS_TRUSTED_USERS_H_

#include <sys/types.h>

#include <vector>

namespace grpc_cxl::internal {

// The users that may connect: our own (the effective uid), root, `allowed_uids` and
// `trusted_uids`. A peer cannot choose its uid: the kernel tells it (SO_PEERCRED). A user without a
// number in our user namespace is never among them, whatever the lists hold (user_namespace.h).
struct TrustedUsers {
  std::vector<uid_t> allowed_uids = {};
  std::vector<uid_t> trusted_uids = {};  // with all of our memory: see PeerTrust

  bool Allows(uid_t uid) const;

  friend bool operator==(const TrustedUsers&, const TrustedUsers&) = default;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_TRUSTED_USERS_H_
