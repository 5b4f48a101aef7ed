// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/blocks/page_runs.h"

#include <iterator>

#include "absl/log/check.h"

namespace grpc_cxl::internal {

PageRuns::PageRuns(uint32_t pages) : pages_(pages), free_pages_(pages) {
  if (pages > 0) gaps_.emplace(0, pages);
}

void PageRuns::Resize(uint32_t pages) {
  if (pages > pages_) {
    const Run more{pages_, pages - pages_};
    pages_ = pages;
    Free(more);
  } else if (pages < pages_) {
    CHECK_LE(end_of_use(), pages) << "pages in use cannot be taken away";
    const auto last = std::prev(gaps_.end());
    free_pages_ -= pages_ - pages;
    last->second -= pages_ - pages;
    if (last->second == 0) gaps_.erase(last);
    pages_ = pages;
  }
}

uint32_t PageRuns::end_of_use() const {
  if (gaps_.empty()) return pages_;
  const auto last = std::prev(gaps_.end());
  return last->first + last->second == pages_ ? last->first : pages_;
}

bool PageRuns::IsFree(Run run) const {
  auto gap = gaps_.upper_bound(run.first);
  if (gap == gaps_.begin()) return false;
  --gap;
  return run.first + run.pages <= gap->first + gap->second;
}

PageRuns::Run PageRuns::Take(uint32_t pages, uint32_t least) {
  CHECK(least >= 1 && least <= pages);
  auto longest = gaps_.end();
  for (auto gap = gaps_.begin(); gap != gaps_.end(); ++gap) {
    if (gap->second >= pages) return TakeFrom(gap, pages);
    if (longest == gaps_.end() || gap->second > longest->second) longest = gap;
  }
  if (longest == gaps_.end() || longest->second < least) return {};
  return TakeFrom(longest, longest->second);
}

PageRuns::Run PageRuns::TakeFrom(Gaps::iterator gap, uint32_t pages) {
  const Run taken{gap->first, pages};
  const uint32_t left = gap->second - pages;
  const auto next = gaps_.erase(gap);
  if (left > 0) gaps_.emplace_hint(next, taken.first + pages, left);
  free_pages_ -= pages;
  return taken;
}

void PageRuns::Free(Run run) {
  CHECK(run.pages >= 1 && run.first < pages_ && run.pages <= pages_ - run.first)
      << "pages " << run.first << " + " << run.pages << " are not among " << pages_;
  free_pages_ += run.pages;
  const auto next = gaps_.lower_bound(run.first);
  CHECK(next == gaps_.end() || run.first + run.pages <= next->first) << "freed twice";
  if (next != gaps_.end() && run.first + run.pages == next->first) {
    run.pages += next->second;
    gaps_.erase(next);
  }
  // Looked up again: the erased gap may have been the hint.
  const auto after = gaps_.lower_bound(run.first);
  if (after != gaps_.begin()) {
    const auto before = std::prev(after);
    CHECK_LE(before->first + before->second, run.first) << "freed twice";
    if (before->first + before->second == run.first) {
      before->second += run.pages;
      return;
    }
  }
  gaps_.emplace_hint(after, run.first, run.pages);
}

}  // namespace grpc_cxl::internal
