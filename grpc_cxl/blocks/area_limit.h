// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BLOCKS_AREA_LIMIT_H_
#define GRPC_CXL_BLOCKS_AREA_LIMIT_H_

#include <cstdint>

namespace grpc_cxl::internal {

// How many pages of an area are in use, from its beginning on: a budget that areas share. The user
// of a limit calls it for one area only, with a lock held.
class AreaLimit {
 public:
  virtual ~AreaLimit() = default;

  // Asks for `pages` in all, more than there are. Returns how many there are now: `pages`, fewer
  // when they cannot be had, or as many as before when the answer comes later (ask again).
  virtual uint32_t Grow(uint32_t pages) = 0;

  // Gives all but `pages` back, if there are more. False: not now.
  virtual bool Shrink(uint32_t pages) = 0;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_BLOCKS_AREA_LIMIT_H_
