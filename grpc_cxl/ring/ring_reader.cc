// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/ring/ring_reader.h"

#include <algorithm>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace grpc_cxl::internal {

RingReader::RingReader(Words words, absl::Span<const char> data, SharedView view)
    : words_(words),
      data_(data),
      view_(view),
      // relaxed: only this process writes it.
      tail_(words.tail->load(std::memory_order_relaxed)),
      cached_head_(tail_) {
  CHECK(!data.empty() && (data.size() & (data.size() - 1)) == 0)
      << "a ring's capacity must be a power of two, not " << data.size();
}

absl::StatusOr<size_t> RingReader::Readable() {
  if (cached_head_ == tail_) {
    // Both invariants: with nothing left to read, the last head we saw is our tail.
    const auto can_be = [this](uint64_t head) { return head - tail_ <= capacity(); };
    // acquire, both: matched by the release in RingWriter::Publish(); bytes before `head` are
    // complete. What is not new, or cannot be, may be old.
    uint64_t head = view_.Peek(*words_.head, std::memory_order_acquire);
    if (!view_.coherent() && (head == tail_ || !can_be(head))) {
      head = view_.Load(*words_.head, std::memory_order_acquire);
    }
    if (!can_be(head)) {
      return absl::DataLossError(
          absl::StrCat("the peer broke the ring: it says it has written up to position ", head,
                       ", which is outside ", tail_, " to ", tail_ + capacity(),
                       "; nothing it says can be trusted now"));
    }
    if (head != cached_head_) AcquireUpTo(head);
    cached_head_ = head;
  }
  return cached_head_ - tail_;
}

void RingReader::AcquireUpTo(uint64_t head) {
  const size_t index = tail_ & (capacity() - 1);
  const size_t first = std::min<size_t>(head - tail_, capacity() - index);
  view_.Acquire(data_.subspan(index, first), data_.subspan(0, head - tail_ - first));
}

absl::Span<const char> RingReader::Front() const {
  const size_t index = tail_ & (capacity() - 1);
  return data_.subspan(index, std::min<size_t>(cached_head_ - tail_, capacity() - index));
}

void RingReader::Consume(size_t bytes) {
  CHECK_LE(bytes, cached_head_ - tail_) << "more consumed than was readable";
  if (bytes == 0) return;
  tail_ += bytes;
  // release: matched by the acquire in RingWriter::RefreshTail(); our reads come first.
  view_.Store(*words_.tail, tail_, std::memory_order_release);
}

bool RingReader::WriterWantsWake() const {
  // relaxed: ordered after the store of `tail` by the caller's full fence, which is matched
  // by the writer's between WantSpace() and its last look. A wrong value
  // here wakes the writer once too often or too late.
  const uint64_t position = view_.Load(*words_.want_space, std::memory_order_relaxed);
  return position != 0 && static_cast<int64_t>(tail_ - position) >= 0;
}

}  // namespace grpc_cxl::internal
