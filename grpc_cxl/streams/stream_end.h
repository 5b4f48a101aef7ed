// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_STREAMS_STREAM_END_H_
#define GRPC_CXL_STREAMS_STREAM_END_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "grpc_cxl/blocks/block_layout.h"
#include "grpc_cxl/coherence/shared_view.h"
#include "grpc_cxl/ring/ring_layout.h"
#include "grpc_cxl/ring/ring_reader.h"
#include "grpc_cxl/ring/ring_writer.h"
#include "grpc_cxl/streams/stream_layout.h"
#include "grpc_cxl/streams/stream_memory.h"
#include "grpc_cxl/streams/stream_pipe.h"

namespace grpc_cxl::internal {

enum class StreamSide { kClient, kServer };

// One side's ends of a slot's two rings. They stay from one stream of the slot to the next.
struct StreamRings {
  StreamRings(const StreamMemory& memory, StreamSide side, int slot);

  RingWriter tx;
  RingReader rx;
};

// Those of all slots, made with the first stream: a connection without streams touches no page of
// the area. Make() and operator[] are for one thread at a time.
class AllStreamRings {
 public:
  // RESOURCE_EXHAUSTED: there is no memory for our slots' words.
  absl::Status Make(const StreamMemory& memory, StreamSide side);
  StreamRings& operator[](size_t slot) { return rings_[slot]; }

  // From any thread, both: whether they are made, and one of ours has memory to give back.
  bool made() const { return made_.load(std::memory_order_acquire); }  // matched by Make()
  bool MayRest() const;

 private:
  std::deque<StreamRings> rings_;  // none, or all
  std::atomic<bool> made_{false};
};

// Bytes that have passed through the rings of all slots, as this side says; for people.
struct BytesThroughRings {
  uint64_t out = 0, in = 0;
};
BytesThroughRings BytesOf(const StreamMemory& memory, StreamSide side);

// What both sides of a stream do with its rings alike. Errors mean that the peer broke the
// protocol: the connection must end. Not thread-safe.
class StreamEnd {
 public:
  // When to Flush() a stream that is starved().
  static constexpr std::chrono::milliseconds kStarvedPause{100};

  // Next() leaves out messages above it (StreamItem::too_large).
  void LimitMessages(uint64_t bytes) { reader_.LimitMessages(bytes); }

  absl::Status Write(StreamRecord kind, absl::Span<const absl::Span<const char>> pieces);
  // Goes on with what did not fit, until ready(): all is in the ring (all_written()), and the other
  // side has not more of it to read than a stream may have in blocks.
  absl::Status Flush();
  bool all_written() const { return writer_.empty(); }
  bool ready() const { return writer_.ready(); }
  // There was no memory for the ring, and nobody tells when there is.
  bool starved() const { return writer_.starved(); }
  // Whose records are not wholly in the ring: the peer never comes to know of them if this side
  // writes no more.
  std::vector<BlockDescriptor> unfinished_blocks() const { return writer_.unfinished_blocks(); }
  // Next() is of the look that has begun last (StreamReader); where the connection has ended, that
  // finds all that is left.
  void BeginLook() { reader_.BeginLook(); }
  absl::StatusOr<bool> Next(StreamItem* record);

  // Gives the memory of our ring back, until the next write, if the peer has read it all.
  void Rest() { rings_.tx.Rest(); }

 protected:
  // `peer`: the reader's words of our ring.
  StreamEnd(StreamRings* rings, const RingReaderWords* peer, SharedView view)
      : rings_(*rings), writer_(&rings->tx, peer, view), reader_(&rings->rx) {}
  ~StreamEnd() = default;

  // The next stream of the slot has not asked for space.
  void ClearWantSpace() { rings_.tx.ClearWantSpace(); }

 private:
  // Tells the other side of something new.
  virtual void Tell() = 0;

  StreamRings& rings_;
  StreamWriter writer_;
  StreamReader reader_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_STREAMS_STREAM_END_H_
