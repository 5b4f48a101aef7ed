// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DOORBELL_DOORBELL_LAYOUT_H_
#define GRPC_CXL_DOORBELL_DOORBELL_LAYOUT_H_

#include <cstddef>

#include "grpc_cxl/base/shared_word.h"

namespace grpc_cxl::internal {

// One for each side of a connection, written by that side (docs/protocol.md, section 6). About its
// own sleep:
//
//   epoch even: awake, it looks at the memory by itself
//   epoch odd:  asleep (or about to be): after publishing something, wake it
//
// The epoch only grows, so every nap has a number of its own, and the peer sends one wake-up for
// each. 64 bits, so that no number comes twice. Zero is awake. About the peer's sleep:
//
//   woke_at  when this side last sent a wake-up, by CLOCK_MONOTONIC, in nanoseconds
struct alignas(kWriterAlignment) DoorbellWords {
  SharedU64 epoch;
  SharedU64 woke_at;
};

static_assert(sizeof(DoorbellWords) == 128);
static_assert(offsetof(DoorbellWords, epoch) == 0);
static_assert(offsetof(DoorbellWords, woke_at) == 8);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DOORBELL_DOORBELL_LAYOUT_H_
