// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RING_RING_WRITER_H_
#define GRPC_CXL_RING_RING_WRITER_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "grpc_cxl/arena/arena_pages.h"
#include "grpc_cxl/coherence/shared_view.h"
#include "grpc_cxl/ring/ring_layout.h"
#include "grpc_cxl/ring/ring_pages.h"

namespace grpc_cxl::internal {

// The writing end of a byte ring; its twin, RingReader, lives in the peer's process.
// A pipe without the kernel: bytes come out in the order they went in, a write takes
// what fits, and no call sleeps (see doorbell/ for that).
//
// Usage: Write() any number of times, then Publish() once. Bytes are visible to the
// reader only after Publish(). When Write() took less than it was given, call
// WantSpace(), look once more with Write(), and wait to be woken.
//
// Memory ordering: everything written before Publish() is visible to a reader that
// sees the published bytes.
//
// Not thread-safe: one thread at a time, with a happens-before between them.
class RingWriter {
 public:
  // `data` is the ring's memory; its size is the capacity, a power of two. All three
  // must outlive this object. Starts at the position that `mine` holds. `pages` of the memory are
  // reserved when the ring comes to them.
  RingWriter(RingWriterWords* mine, const RingReaderWords* peer, absl::Span<char> data,
             SharedView view = {}, ArenaPages pages = {})
      : RingWriter(Words{&mine->head, &mine->want_space, &peer->tail}, data, view, pages) {}
  // The same, with words that lie anywhere.
  struct Words {
    SharedU64* head;
    SharedU64* want_space;
    const SharedU64* tail;
  };
  RingWriter(Words words, absl::Span<char> data, SharedView view, ArenaPages pages);

  // Copies the first bytes of `bytes` that fit and returns how many that is, possibly
  // 0. DATA_LOSS when the peer's index breaks an invariant of ring_layout.h, RESOURCE_EXHAUSTED
  // when the ring comes to pages that cannot be had.
  absl::StatusOr<size_t> Write(absl::Span<const char> bytes);

  // Makes all bytes written so far readable and returns how many that newly are; when 0,
  // nothing happened and there is nothing to wake the reader for.
  size_t Publish();

  // Asks the reader to wake us once `bytes` (1 .. capacity) are free;
  // ClearWantSpace() takes it back. The caller issues the full fence (see doorbell/)
  // and looks once more before it sleeps.
  void WantSpace(size_t bytes);
  void ClearWantSpace();

  // Bytes that fit now. FreeSpace() looks at the peer's index and reserves pages only if fewer than
  // `enough` were there at the last look, so that it may tell too little above that. Errors as for
  // Write(), and UNAVAILABLE when the memory is not ours any more (Fence). To be asked before
  // Write(), which does not look: space that was seen is still there.
  absl::StatusOr<size_t> Free() { return FreeSpace(capacity()); }
  absl::StatusOr<size_t> FreeSpace(size_t enough);

  // Gives the memory back, until the next write, if the ring is empty.
  void Rest();
  // Whether Rest() may have something to give.
  bool MayRest() const { return pages_.MayGiveBack(); }

  size_t capacity() const { return data_.size(); }
  // Bytes written since the ring was made.
  uint64_t position() const { return head_; }

 private:
  absl::StatusOr<size_t> Available(size_t enough);
  // Looks at the peer's index. Until `enough` is free as far as is known, it goes to memory for it.
  absl::Status RefreshTail(size_t enough);

  const Words words_;
  const absl::Span<char> data_;
  const SharedView view_;
  uint64_t head_;         // written, maybe not yet published
  uint64_t published_;    // last value stored in `head`
  uint64_t cached_tail_;  // the peer's tail when we last looked
  RingPages pages_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RING_RING_WRITER_H_
