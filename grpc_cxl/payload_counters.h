// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_PAYLOAD_COUNTERS_H_
#define GRPC_CXL_PAYLOAD_COUNTERS_H_

#include <cstdint>

namespace grpc_cxl {

// How the bytes of this process's connections have travelled since it began: gRPC's bytes, which
// are messages with a few bytes of HTTP/2 around them. The copies that protobuf makes when it
// serialises and parses come on top.
//
//   sent                       copies   when
//     in place                 0        they were in a block of the connection already
//     by block                 1        in slices from 16 KiB on
//     by ring                  1        smaller pieces, and for want of blocks
//   received
//     in place                 0        in a block, from a peer that is trusted with our memory
//     from block               1        in a block, from any other peer
//     from ring                1
//
// docs/configuration.md, "Trust", says which peers are trusted.
struct PayloadCounters {
  uint64_t sent_in_place = 0;  // bytes, as all of these
  uint64_t sent_by_block = 0;
  uint64_t sent_by_ring = 0;
  uint64_t received_in_place = 0;
  uint64_t received_from_block = 0;
  uint64_t received_from_ring = 0;

  // Of sent_by_ring: bytes large enough for a block when none was free. When this grows,
  // ServerOptions::payload_bytes is small for the messages, or the peer keeps what it
  // receives.
  uint64_t sent_for_want_of_blocks = 0;

  // Pieces of blocks that peers hold of us, and that this process holds of its peers: in
  // slices, ByteBuffers and Cords. 0 when everything has been let go (what peers hold is
  // noticed when the next block is needed, or when the connection has nothing to do).
  int64_t loans_out = 0;
  int64_t loans_held = 0;
};

// The counters now. Each is exact when nothing moves. Thread-safe; costs a few loads.
PayloadCounters GetPayloadCounters();

}  // namespace grpc_cxl

#endif  // GRPC_CXL_PAYLOAD_COUNTERS_H_
