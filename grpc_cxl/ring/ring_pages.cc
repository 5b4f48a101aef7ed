// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/ring/ring_pages.h"

#include "absl/log/check.h"

namespace grpc_cxl::internal {

RingPages::RingPages(ArenaPages pages, absl::Span<char> data, uint64_t position)
    : pages_(pages),
      data_(data),
      whole_(!pages.on_use()),
      lap_begin_(position & -kPage),
      until_(lap_begin_) {
  CHECK(whole_ || data.size() % kPage == 0);
}

absl::Status RingPages::Reserve(uint64_t position, size_t bytes) {
  const uint64_t wanted = position + bytes;
  if (whole_ || static_cast<int64_t>(until_ - wanted) >= 0) return absl::OkStatus();
  const uint64_t more = std::max<uint64_t>(wanted - until_, until_ - lap_begin_);
  const uint64_t until = (until_ + more + kPage - 1) & -kPage;
  const uint64_t capacity = data_.size();
  if (until - lap_begin_ >= capacity) {
    if (absl::Status status = pages_.Reserve(data_); !status.ok()) return status;
    whole_ = true;
    grown_.store(pages_.may_give_back(), std::memory_order_relaxed);
    return absl::OkStatus();
  }
  const uint64_t index = until_ & (capacity - 1);
  const uint64_t first = std::min(until - until_, capacity - index);
  if (absl::Status status = pages_.Reserve(data_.subspan(index, first)); !status.ok()) {
    return status;
  }
  if (absl::Status status = pages_.Reserve(data_.subspan(0, until - until_ - first));
      !status.ok()) {
    return status;
  }
  until_ = until;
  if (until_ - lap_begin_ > kPage) {
    grown_.store(pages_.may_give_back(), std::memory_order_relaxed);
  }
  return absl::OkStatus();
}

void RingPages::GiveBack(uint64_t position) {
  if (!MayGiveBack()) return;
  grown_.store(false, std::memory_order_relaxed);
  const uint64_t capacity = data_.size();
  lap_begin_ = position & -kPage;
  until_ = (position + kPage - 1) & -kPage;
  if (until_ - lap_begin_ == capacity) return;  // a ring of one page
  whole_ = false;
  const uint64_t begin = until_ & (capacity - 1);
  const uint64_t end = lap_begin_ & (capacity - 1);
  if (begin < end) {
    pages_.GiveBack(data_.subspan(begin, end - begin));
  } else {
    pages_.GiveBack(data_.subspan(begin));
    pages_.GiveBack(data_.subspan(0, end));
  }
}

}  // namespace grpc_cxl::internal
