// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_USER_NAMESPACE_H_
#define GRPC_CXL_RENDEZVOUS_USER_NAMESPACE_H_

#include <sys/types.h>

namespace grpc_cxl::internal {

// Whether `uid` names nobody in particular: in a user namespace that does not map all users, the
// kernel shows every unmapped user as one number (/proc/sys/kernel/overflowuid, 65534), whether
// that number is mapped as well or not. Always false where all users are mapped, as in the initial
// user namespace. Thread-safe; needs no file descriptor in the initial user namespace.
bool MayBeUnmapped(uid_t uid);

// The same for groups (/proc/sys/kernel/overflowgid).
bool GroupMayBeUnmapped(gid_t gid);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_USER_NAMESPACE_H_
