// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BLOCKS_PAGE_RUNS_H_
#define GRPC_CXL_BLOCKS_PAGE_RUNS_H_

#include <cstdint>
#include <map>

namespace grpc_cxl::internal {

// Which pages of an area are free: first fit, neighbours grow together again. First fit uses
// the same few pages again and again, which therefore stay in the processor's cache.
//
// Private memory only; not thread-safe. The cost is that of walking the gaps between blocks.
class PageRuns {
 public:
  struct Run {
    uint32_t first = 0;
    uint32_t pages = 0;  // 0: none
  };

  explicit PageRuns(uint32_t pages);

  // Adds free pages at the end, or takes free ones away.
  void Resize(uint32_t pages);
  // Pages up to the last one in use.
  uint32_t end_of_use() const;
  bool IsFree(Run run) const;

  // The first run of `pages` free pages; if there is none, the longest one that there is,
  // unless that has fewer than `least` (at least 1, at most `pages`) pages.
  Run Take(uint32_t pages, uint32_t least);
  // Gives back what Take() returned.
  void Free(Run run);

  uint32_t in_use() const { return pages_ - free_pages_; }
  uint32_t pages() const { return pages_; }

 private:
  using Gaps = std::map<uint32_t, uint32_t>;  // first page and pages of each run of free ones

  Run TakeFrom(Gaps::iterator gap, uint32_t pages);

  uint32_t pages_;
  uint32_t free_pages_;
  Gaps gaps_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_BLOCKS_PAGE_RUNS_H_
