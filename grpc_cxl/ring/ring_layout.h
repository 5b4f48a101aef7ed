// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RING_RING_LAYOUT_H_
#define GRPC_CXL_RING_RING_LAYOUT_H_

#include <cstddef>

#include "grpc_cxl/base/shared_word.h"

namespace grpc_cxl::internal {

// The shared words of a byte ring with one writer and one reader (docs/protocol.md, sections 5.1
// and 6.3).
//
//        tail              head                 positions count bytes since the ring
//         |                 |                   was made and never wrap (2^64); the
//   ......#################......               byte at position p lives at index
//   free   published, unread  free              p % capacity, capacity a power of two
//
//   invariant 1: tail <= head <= tail + capacity
//   invariant 2: head and tail never decrease
//
// A ring with head == tail == want_space == 0 is valid and empty.

// Written by the writer's process only.
struct alignas(kWriterAlignment) RingWriterWords {
  SharedU64 head;        // first position not yet published
  SharedU64 want_space;  // 0, or: wake me once tail reaches this position
};

// Written by the reader's process only.
struct alignas(kWriterAlignment) RingReaderWords {
  SharedU64 tail;  // first position not yet consumed
};

static_assert(sizeof(RingWriterWords) == 128);
static_assert(offsetof(RingWriterWords, head) == 0);
static_assert(offsetof(RingWriterWords, want_space) == 8);
static_assert(sizeof(RingReaderWords) == 128);
static_assert(offsetof(RingReaderWords, tail) == 0);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RING_RING_LAYOUT_H_
