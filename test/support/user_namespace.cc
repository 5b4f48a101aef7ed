// SPDX-License-Identifier: Apache-2.0
#include "test/support/user_namespace.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <fstream>

#include "absl/log/check.h"
#include "absl/strings/str_cat.h"
#include "test/support/forked_child.h"

namespace grpc_cxl::internal {

void EnterUserNamespace(uid_t uid) {
  const uid_t outside = geteuid();
  PCHECK(unshare(CLONE_NEWUSER) == 0);
  PCHECK(prctl(PR_SET_DUMPABLE, 1) == 0);  // after a change of user, uid_map is root's otherwise
  PCHECK(std::ofstream("/proc/self/uid_map") << uid << " " << outside << " 1" << std::endl);
}

std::string WhyNoUserNamespace() {
  return ForkedChild([] {
           if (unshare(CLONE_NEWUSER) == 0) return std::string();
           return absl::StrCat("no user namespaces here: ", strerror(errno));
         })
      .Join();
}

}  // namespace grpc_cxl::internal
