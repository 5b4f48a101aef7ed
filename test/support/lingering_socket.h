// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_SUPPORT_LINGERING_SOCKET_H_
#define GRPC_CXL_TEST_SUPPORT_LINGERING_SOCKET_H_

#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::internal {

// A TCP socket whose close() takes as long as its SO_LINGER says, 20 s, unless `reader` is closed
// first.
UniqueFd LingeringSocket(UniqueFd* reader);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_SUPPORT_LINGERING_SOCKET_H_
