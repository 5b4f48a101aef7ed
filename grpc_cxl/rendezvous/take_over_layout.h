// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_TAKE_OVER_LAYOUT_H_
#define GRPC_CXL_RENDEZVOUS_TAKE_OVER_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "grpc_cxl/rendezvous/handshake_layout.h"

// The messages by which a name passes to its next owner (docs/protocol.md, section 2.8), one
// datagram each over a socket that the successor has connected to the name:
//
//   successor                          owner
//     | --- kAsk ---------------------> |   same user? no other successor?
//     | <-- kWilling ------------------ |   serves on, or a Welcome with a refusal
//     | --- kNow ---------------------> |   when the successor is ready to serve
//     | <-- kYours + lock + socket ---- |   its last step as owner, if it could be sent
//
// An owner that is about to leave sends kYours without waiting for kNow.
namespace grpc_cxl::internal {

enum class TakeOverStep : uint32_t { kAsk = 1, kWilling = 2, kNow = 3, kYours = 4 };

// No other first message has this size, so an owner that does not know it refuses it.
struct TakeOverMessage {
  HandshakePreamble preamble;
  uint32_t pid;   // of the sender, in its own pid namespace; for people
  uint32_t step;  // a TakeOverStep
};
static_assert(sizeof(TakeOverMessage) == 24);
static_assert(offsetof(TakeOverMessage, preamble) == 0);
static_assert(offsetof(TakeOverMessage, pid) == 16);
static_assert(offsetof(TakeOverMessage, step) == 20);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_TAKE_OVER_LAYOUT_H_
