// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/trusted_users.h"

#include <unistd.h>

#include <algorithm>

namespace grpc_cxl::internal {

bool TrustedUsers::Allows(uid_t uid) const {
  return uid == 0 || uid == geteuid() ||
         std::find(allowed_uids.begin(), allowed_uids.end(), uid) != allowed_uids.end();
}

}  // namespace grpc_cxl::internal
