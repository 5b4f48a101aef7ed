// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_LINE_KEY_H_
#define GRPC_CXL_RENDEZVOUS_LINE_KEY_H_

#include <array>
#include <cstdint>

#include "grpc_cxl/rendezvous/handshake_layout.h"

namespace grpc_cxl::internal {

// A random number that the two ends of a connection share, and nobody else knows: made by the
// client, and sent to the server with the Hello. By it both know that a line (line.h) is the
// connection's. A plain value.
struct LineKey {
  std::array<uint8_t, kLineKeyBytes> bytes{};

  static LineKey Fresh();
};

// The key's SHA-256, which shows that its sender knows the key, and does not tell it.
using LineClaim = std::array<uint8_t, kLineClaimBytes>;
LineClaim ClaimOf(const LineKey& key);

// Takes as long for every wrong key.
bool AreEqual(const LineKey& key, const LineKey& other);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_LINE_KEY_H_
