#include "grpc_cxl/rendezvous/trust.h"

#include <unistd.h>

#include <algorithm>

namespace grpc_cxl {

bool Trust::Allows(uid_t uid) const {
  return uid == 0 || uid == geteuid() ||
         std::find(allowed_uids.begin(), allowed_uids.end(), uid) != allowed_uids.end();
}

}  // namespace grpc_cxl
