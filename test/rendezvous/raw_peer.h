// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_RENDEZVOUS_RAW_PEER_H_
#define GRPC_CXL_TEST_RENDEZVOUS_RAW_PEER_H_

#include <cstddef>

#include "absl/types/span.h"

namespace grpc_cxl::internal {

// What a peer that keeps to no protocol can do: sends `size` bytes as one message, with
// copies of `fds`.
void SendRaw(int socket, const void* data, size_t size, absl::Span<const int> fds = {});

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_RENDEZVOUS_RAW_PEER_H_
