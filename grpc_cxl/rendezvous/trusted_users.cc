// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/trusted_users.h"

#include <unistd.h>

#include <algorithm>

#include "grpc_cxl/rendezvous/user_namespace.h"

namespace grpc_cxl::internal {

bool TrustedUsers::Allows(uid_t uid) const {
  if (MayBeUnmapped(uid)) return false;
  const auto has = [uid](const std::vector<uid_t>& uids) {
    return std::find(uids.begin(), uids.end(), uid) != uids.end();
  };
  return uid == 0 || uid == geteuid() || has(allowed_uids) || has(trusted_uids);
}

}  // namespace grpc_cxl::internal
