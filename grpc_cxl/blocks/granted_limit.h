// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BLOCKS_GRANTED_LIMIT_H_
#define GRPC_CXL_BLOCKS_GRANTED_LIMIT_H_

#include <cstdint>

#include "grpc_cxl/blocks/area_limit.h"
#include "grpc_cxl/blocks/block_layout.h"

namespace grpc_cxl::internal {

// The owner's side of a limit that the borrower sets (block_layout.h, `wanted` and `granted`). One
// question at a time: the next one is asked when the last is answered. Only where memory is
// coherent. Not thread-safe.
class GrantedLimit final : public AreaLimit {
 public:
  // `pages` are granted from the beginning. Both words must outlive this.
  GrantedLimit(BlockOwnerWords* mine, const BlockReturnWords* peer, uint32_t pages)
      : mine_(mine), peer_(peer), pages_(pages) {}

  uint32_t Grow(uint32_t pages) override;
  bool Shrink(uint32_t pages) override;

 private:
  // Whether the last question is answered.
  bool Answered();
  void Ask(uint32_t pages);

  BlockOwnerWords* const mine_;
  const BlockReturnWords* const peer_;
  uint32_t pages_;
  uint32_t asked_ = 0;  // number of the last question
  uint32_t asked_pages_ = 0;
  bool answered_ = true;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_BLOCKS_GRANTED_LIMIT_H_
