// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RING_RING_PAGES_H_
#define GRPC_CXL_RING_RING_PAGES_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "grpc_cxl/arena/arena_pages.h"

namespace grpc_cxl::internal {

// Which of a ring's pages its writer has reserved: those of positions up to `until_`, and all of
// them once that is a whole lap.
//
//     lap_begin_   position       until_
//   ....|##############|#############|......    # reserved
//
// Not thread-safe: part of the writer.
class RingPages {
 public:
  // A ring in `data` that has come as far as `position`; no page is reserved yet.
  RingPages(ArenaPages pages, absl::Span<char> data, uint64_t position);

  // Bytes behind `position` that have their pages.
  size_t Reserved(uint64_t position) const {
    return whole_                                        ? data_.size()
           : static_cast<int64_t>(until_ - position) > 0 ? static_cast<size_t>(until_ - position)
                                                         : 0;
  }

  // Makes Reserved(position) at least `bytes`, at most the capacity; reserves as much again as
  // there is, so that few calls do. RESOURCE_EXHAUSTED as ArenaPages::Reserve().
  absl::Status Reserve(uint64_t position, size_t bytes);

  // Gives all pages back but that of `position`. The ring is empty.
  void GiveBack(uint64_t position);
  // Whether GiveBack() would give something. From any thread.
  bool MayGiveBack() const { return grown_.load(std::memory_order_relaxed); }

 private:
  static constexpr uint64_t kPage = 4096;

  const ArenaPages pages_;
  const absl::Span<char> data_;
  bool whole_;
  uint64_t lap_begin_, until_;      // multiples of kPage unless whole_
  std::atomic<bool> grown_{false};  // more than one page; relaxed, a flag by itself
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RING_RING_PAGES_H_
