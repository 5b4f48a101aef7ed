// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/ring/ring_writer.h"

#include <algorithm>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/coherence/fence.h"

namespace grpc_cxl::internal {

// Positions are compared by their distance (unsigned subtraction), so nothing below
// depends on how far the ring has come.

RingWriter::RingWriter(Words words, absl::Span<char> data, SharedView view, ArenaPages pages)
    : words_(words),
      data_(data),
      view_(view),
      // relaxed: only this process writes it.
      head_(words.head->load(std::memory_order_relaxed)),
      published_(head_),
      // The lowest tail that invariant 1 allows: the first look at the peer's will do.
      cached_tail_(head_ - std::min<uint64_t>(head_, data.size())),
      pages_(pages, data, head_) {
  CHECK(!data.empty() && (data.size() & (data.size() - 1)) == 0)
      << "a ring's capacity must be a power of two, not " << data.size();
}

absl::Status RingWriter::RefreshTail(size_t enough) {
  // cached_tail_ <= tail <= published_: both invariants, as cached_tail_ kept the first.
  const auto can_be = [this](uint64_t tail) {
    return tail - cached_tail_ <= published_ - cached_tail_;
  };
  // acquire, both: matched by the release in RingReader::Consume(); what the reader read out of
  // the bytes before `tail` was read before we overwrite them. What cannot be may only be old.
  uint64_t tail = view_.Peek(*words_.tail, std::memory_order_acquire);
  if (!view_.coherent() && (!can_be(tail) || capacity() - (head_ - tail) < enough)) {
    tail = view_.Load(*words_.tail, std::memory_order_acquire);
  }
  if (!can_be(tail)) {
    return absl::DataLossError(absl::StrCat(
        "the peer broke the ring: it says it has read up to position ", tail, ", which is outside ",
        cached_tail_, " to ", published_, "; nothing it says can be trusted now"));
  }
  cached_tail_ = tail;
  return absl::OkStatus();
}

absl::StatusOr<size_t> RingWriter::FreeSpace(size_t enough) {
  if (!view_.Holds()) return NoLongerOurs();
  return Available(enough);
}

absl::StatusOr<size_t> RingWriter::Available(size_t enough) {
  if (capacity() - (head_ - cached_tail_) < enough) {
    if (absl::Status status = RefreshTail(enough); !status.ok()) return status;
  }
  const size_t free = capacity() - (head_ - cached_tail_);
  if (pages_.Reserved(head_) < std::min(free, enough)) {
    if (absl::Status status = pages_.Reserve(head_, std::min(free, enough)); !status.ok()) {
      return status;
    }
  }
  return std::min(free, pages_.Reserved(head_));
}

void RingWriter::Rest() {
  if (!MayRest() || !RefreshTail(capacity()).ok() || cached_tail_ != head_) return;
  pages_.GiveBack(head_);
}

absl::StatusOr<size_t> RingWriter::Write(absl::Span<const char> bytes) {
  if (bytes.empty()) return 0;
  const absl::StatusOr<size_t> free = Available(bytes.size());
  if (!free.ok()) return free.status();
  const size_t count = std::min(*free, bytes.size());
  const size_t index = head_ & (capacity() - 1);
  const size_t first = std::min(count, capacity() - index);
  view_.Copy(data_.data() + index, bytes.subspan(0, first));
  view_.Copy(data_.data(), bytes.subspan(first, count - first));
  head_ += count;
  return count;
}

size_t RingWriter::Publish() {
  const size_t bytes = head_ - published_;
  if (bytes == 0) return 0;
  const size_t index = published_ & (capacity() - 1);
  const size_t first = std::min(bytes, capacity() - index);
  view_.Publish(data_.subspan(index, first), data_.subspan(0, bytes - first));
  published_ = head_;
  // release: matched by the acquire in RingReader::Readable(); the bytes come first.
  view_.Store(*words_.head, head_, std::memory_order_release);
  return bytes;
}

void RingWriter::WantSpace(size_t bytes) {
  CHECK(bytes >= 1 && bytes <= capacity())
      << "a ring of " << capacity() << " bytes cannot have " << bytes << " bytes free";
  uint64_t position = head_ + bytes - capacity();
  // Zero means "none"; the position before it wakes us a byte early, which does no harm.
  if (position == 0) --position;
  // relaxed: the full fence that follows orders it before our last look at `tail`, and is
  // matched by the reader's fence between Consume() and WriterWantsWake().
  view_.Store(*words_.want_space, position, std::memory_order_relaxed);
}

void RingWriter::ClearWantSpace() {
  // relaxed: a reader that sees it late wakes us once in vain.
  view_.Store(*words_.want_space, uint64_t{0}, std::memory_order_relaxed);
}

}  // namespace grpc_cxl::internal
