// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_SUPPORT_USER_NAMESPACE_H_
#define GRPC_CXL_TEST_SUPPORT_USER_NAMESPACE_H_

#include <sys/types.h>

#include <string>

namespace grpc_cxl::internal {

// Moves the calling process, which has one thread, into a new user namespace that maps its user,
// as `uid`, and no other.
void EnterUserNamespace(uid_t uid);

// Empty when a forked child can do so, otherwise why not: the reason to skip a test.
std::string WhyNoUserNamespace();

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_SUPPORT_USER_NAMESPACE_H_
