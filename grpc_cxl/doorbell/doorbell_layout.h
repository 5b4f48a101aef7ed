// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DOORBELL_DOORBELL_LAYOUT_H_
#define GRPC_CXL_DOORBELL_DOORBELL_LAYOUT_H_

#include <cstddef>

#include "grpc_cxl/base/shared_word.h"

namespace grpc_cxl::internal {

// One for each side of a connection, written by the process that sleeps (docs/protocol.md,
// section 6).
//
//   epoch even: awake, it looks at the memory by itself
//   epoch odd:  asleep (or about to be): after publishing something, wake it
//
// The epoch only grows, so every nap has a number of its own, and the peer sends one wake-up for
// each. 64 bits, so that no number comes twice. Zero is awake.
struct alignas(kWriterAlignment) DoorbellWords {
  SharedU64 epoch;
};

static_assert(sizeof(DoorbellWords) == 128);
static_assert(offsetof(DoorbellWords, epoch) == 0);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DOORBELL_DOORBELL_LAYOUT_H_
