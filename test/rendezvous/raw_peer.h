// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_RENDEZVOUS_RAW_PEER_H_
#define GRPC_CXL_TEST_RENDEZVOUS_RAW_PEER_H_

#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "grpc_cxl/base/layout_version.h"
#include "grpc_cxl/rendezvous/handshake_layout.h"

namespace grpc_cxl::internal {

// A peer that keeps to no protocol: sends `bytes` as one message, with copies of `fds`.
void SendRaw(int socket, std::string_view bytes, absl::Span<const int> fds = {});

// A message of the handshake, all zero behind the preamble.
template <typename Message>
Message Honest() {
  Message message{};
  message.preamble = {kHandshakeMagic, kLayoutVersion, 0};
  return message;
}

// The bytes of such a message.
template <typename Message>
std::string BytesOf(const Message& message) {
  return std::string(reinterpret_cast<const char*>(&message), sizeof(message));
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_RENDEZVOUS_RAW_PEER_H_
