// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_LINK_RECORD_LAYOUT_H_
#define GRPC_CXL_LINK_RECORD_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "grpc_cxl/blocks/block_layout.h"

// How a stream of bytes travels in a ring: as records, one after the other, without padding
// (docs/protocol.md, section 5.2).
//
//   0          4                 4 + n
//   +----------+------------------+
//   | n        | n bytes          |    bytes of the stream, in the ring itself
//   +----------+------------------+
//
//   0          4        8
//   +----------+--------+
//   | 1<<31 | n| begin  |              n bytes of the stream, lent: they begin at `begin` of
//   +----------+--------+              the writer's payload area (blocks/block_layout.h)
//
// n is 1 to 2^31 - 1. Words are in the machine's byte order and not aligned; one may lie
// partly at the ring's end and partly at its beginning.
namespace grpc_cxl::internal {

inline constexpr uint32_t kLentBit = uint32_t{1} << 31;
inline constexpr size_t kRecordHeaderBytes = 4;
inline constexpr size_t kLentRecordBytes = 8;
static_assert(kMaxAreaBytes < kLentBit);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_LINK_RECORD_LAYOUT_H_
