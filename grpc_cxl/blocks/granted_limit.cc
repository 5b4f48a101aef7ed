// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/blocks/granted_limit.h"

#include <algorithm>

namespace grpc_cxl::internal {

uint32_t GrantedLimit::Grow(uint32_t pages) {
  if (Answered() && pages_ < pages) Ask(pages);
  return pages_;
}

bool GrantedLimit::Shrink(uint32_t pages) {
  if (!Answered()) return false;
  if (pages < pages_) {
    pages_ = pages;
    Ask(pages);
  }
  return true;
}

bool GrantedLimit::Answered() {
  if (answered_) return true;
  // Matched by the release store in BlockBorrower::Answer().
  const uint64_t granted = peer_->granted.load(std::memory_order_acquire);
  if (NumberOf(granted) != asked_) return false;
  // A hostile peer that grants more than was asked for gets no more.
  pages_ = std::min(PagesOf(granted), asked_pages_);
  return answered_ = true;
}

void GrantedLimit::Ask(uint32_t pages) {
  answered_ = false;
  asked_pages_ = pages;
  // Matched by the acquire load in BlockBorrower::Answer(): nothing is lent above a smaller limit.
  mine_->wanted.store(NumberedPages(++asked_, pages), std::memory_order_release);
}

}  // namespace grpc_cxl::internal
