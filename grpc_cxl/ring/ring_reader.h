// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RING_RING_READER_H_
#define GRPC_CXL_RING_RING_READER_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "grpc_cxl/coherence/shared_view.h"
#include "grpc_cxl/ring/ring_layout.h"

namespace grpc_cxl::internal {

// The reading end of a byte ring; its twin, RingWriter, lives in the peer's process.
//
// Usage: Readable() tells how much there is, Front() shows the next contiguous piece
// in place, Consume() gives it back. The bytes stay under the peer's hands until they
// are consumed, and may change under a hostile one: copy what must not change between
// a check and its use.
//
// Memory ordering: a byte counted by Readable() is visible; a byte given back with
// Consume() is not overwritten before that.
//
// Not thread-safe: one thread at a time, with a happens-before between them.
class RingReader {
 public:
  RingReader(RingReaderWords* mine, const RingWriterWords* peer, absl::Span<const char> data,
             SharedView view = {})
      : RingReader(Words{&mine->tail, &peer->head, &peer->want_space}, data, view) {}
  // The same, with words that lie anywhere.
  struct Words {
    SharedU64* tail;
    const SharedU64* head;
    const SharedU64* want_space;
  };
  RingReader(Words words, absl::Span<const char> data, SharedView view);

  // Bytes published and not yet consumed, at least one if there are any (a cached
  // index may hide the newest). Goes to memory only when all that is known of was consumed.
  // DATA_LOSS when the peer's index breaks an invariant of
  // ring_layout.h.
  absl::StatusOr<size_t> Readable();

  // The next readable bytes up to the end of the memory: at most two pieces make up
  // all that Readable() counted. Empty when Readable() was 0.
  absl::Span<const char> Front() const;

  // Gives `bytes` (at most what the last Readable() counted) back to the writer.
  void Consume(size_t bytes);

  // True when the writer asked, with WantSpace(), to be woken at a position that has
  // been reached. The caller issues the full fence between Consume() and this.
  bool WriterWantsWake() const;

  size_t capacity() const { return data_.size(); }
  // Bytes consumed since the ring was made.
  uint64_t position() const { return tail_; }

 private:
  // The bytes from the tail up to `head`, in two pieces at most.
  void AcquireUpTo(uint64_t head);

  const Words words_;
  const absl::Span<const char> data_;
  const SharedView view_;
  uint64_t tail_;
  uint64_t cached_head_;  // the peer's head when we last looked
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RING_RING_READER_H_
