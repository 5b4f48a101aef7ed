// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/trusted_users.h"

#include <unistd.h>

#include <algorithm>

#include "grpc_cxl/rendezvous/user_namespace.h"

namespace grpc_cxl::internal {

bool TrustedUsers::Allows(uid_t uid) const {
  if (MayBeUnmapped(uid)) return false;
  return uid == 0 || uid == geteuid() ||
         std::find(allowed_uids.begin(), allowed_uids.end(), uid) != allowed_uids.end();
}

}  // namespace grpc_cxl::internal
