// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_MESSAGE_FAULT_H_
#define GRPC_CXL_RENDEZVOUS_MESSAGE_FAULT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "grpc_cxl/rendezvous/handshake_layout.h"

// What all messages of the handshake have in common.
namespace grpc_cxl::internal {

inline HandshakePreamble MyPreamble(uint32_t features) {
  return {kHandshakeMagic, kLayoutVersion, features};
}

// kNone: no fault.
struct Fault {
  Refusal refusal = Refusal::kNone;
  std::string text;
};

// The fault of a message of `size` bytes from `peer` ("client" or "server"), which should have
// `expected` bytes.
Fault FindFault(const HandshakePreamble& preamble, size_t size, size_t expected,
                absl::string_view peer);

// The same; `message` has the message's first sizeof(Message) bytes.
template <typename Message>
Fault FindFault(const Message& message, size_t size, absl::string_view peer) {
  return FindFault(message.preamble, size, sizeof(Message), peer);
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_MESSAGE_FAULT_H_
