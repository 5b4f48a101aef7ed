// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_STREAMS_STREAM_PIPE_H_
#define GRPC_CXL_STREAMS_STREAM_PIPE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
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

namespace grpc_cxl::internal {

// Writes the records of a stream (stream_layout.h) into its ring, and keeps what does not fit, or
// finds no memory in the ring. Errors are the ring's: the connection is of no more use. Not
// thread-safe.
//
// Ring space is the stream's flow control. Blocks, whose records are small, have a limit besides,
// so that a stream without a reader does not take all that the connection has.
class StreamWriter {
 public:
  // `peer`: the ring's.
  StreamWriter(RingWriter* ring, const RingReaderWords* peer, SharedView view)
      : ring_(ring), peer_(peer), view_(view) {}

  // A record of all `pieces`. `*published`: the peer has something to read.
  absl::Status Write(StreamRecord kind, absl::Span<const absl::Span<const char>> pieces,
                     bool* published);
  // Goes on with what was kept, until ready(); before that the peer tells when it has read on.
  // Nobody tells a writer that is starved(), for want of memory: it is to be flushed again.
  absl::Status Flush(bool* published);
  bool starved() const { return starved_; }
  // Whether all is in the ring, and whether the next message may come.
  bool empty() const { return sent_ == rest_.size(); }
  bool ready() const { return empty() && unread_ <= kMostUnread; }
  void Clear() { rest_.clear(), sent_ = 0; }
  // Those whose records are not wholly in the ring.
  std::vector<BlockDescriptor> unfinished_blocks() const;

 private:
  static constexpr uint64_t kMostUnread = 2 << 20;  // as HTTP/2's window, less what is in the ring

  struct Block {
    uint64_t end;  // of its record
    BlockDescriptor block;
  };

  // How much of it, as of RingWriter::Write(); 0 where there is no memory.
  absl::StatusOr<size_t> WriteToRing(absl::Span<const char> bytes);
  absl::Status Put(absl::Span<const char> bytes);
  absl::Status GoOn();
  // The position of the reader that leaves half of the limit.
  uint64_t WantedTail() const;

  RingWriter* const ring_;
  const RingReaderWords* const peer_;
  const SharedView view_;
  std::string rest_;  // from sent_ on, what did not fit
  size_t sent_ = 0;
  bool starved_ = false;
  std::deque<Block> blocks_;  // that the peer has not come to
  uint64_t unread_ = 0;       // their bytes
};

// What a record was.
struct StreamItem {
  StreamRecord kind;
  std::string bytes;
  // Of a message above the limit, which was left out: its size.
  uint64_t too_large = 0;
};

// Reads them, in looks. Trusts nothing: a kind or a size that cannot be is DATA_LOSS. Not
// thread-safe.
//
// A look reads what a ring can hold and no more, so that a peer that writes on and on keeps no
// thread. Nothing is missed: what lies behind that was written after the look began, and the peer
// tells of it then.
class StreamReader {
 public:
  explicit StreamReader(RingReader* ring) : ring_(ring) { BeginLook(); }

  void BeginLook() { look_ends_at_ = ring_->position() + ring_->capacity(); }

  // Messages above it are left out from now on; before, none is.
  void LimitMessages(uint64_t bytes) { most_bytes_ = bytes; }

  // Whether a record is complete in this look; then `*record` is it. `*consumed`: there may be
  // space for the peer. After an error there is nothing but that.
  absl::StatusOr<bool> Next(StreamItem* record, bool* consumed);

 private:
  absl::StatusOr<bool> Read(StreamItem* record, bool* consumed);
  absl::Status CheckHead();

  RingReader* const ring_;
  uint64_t most_bytes_ = UINT64_MAX;
  StreamRecordHead head_{};
  size_t head_bytes_ = 0;  // of it that are here
  std::string bytes_;
  uint64_t skip_ = 0;          // of a message that is too large
  uint64_t look_ends_at_ = 0;  // a position
  absl::Status broken_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_STREAMS_STREAM_PIPE_H_
