// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BASE_LAYOUT_VERSION_H_
#define GRPC_CXL_BASE_LAYOUT_VERSION_H_

#include <cstdint>

namespace grpc_cxl::internal {

// Version of everything two processes share: the handshake's messages and every
// *_layout.h, as docs/protocol.md specifies them. Two processes talk only if theirs are equal.
inline constexpr uint32_t kLayoutVersion = 7;

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_BASE_LAYOUT_VERSION_H_
