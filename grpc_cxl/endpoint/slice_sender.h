// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_ENDPOINT_SLICE_SENDER_H_
#define GRPC_CXL_ENDPOINT_SLICE_SENDER_H_

#include <grpc/event_engine/slice_buffer.h>

#include <algorithm>
#include <cstddef>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/link/record_writer.h"

namespace grpc_cxl::internal {

// Brings gRPC's slices into a link:
//
//   small slices (below kBlockThreshold), a run   copied into the ring as one record
//   a large slice in a block of ours              lent as it is
//   any other large slice                         copied into a block, that lent
//   a large slice, and no block is free           copied into the ring, and counted
//
// A writer of the link: one thread at a time.
class SliceSender {
 public:
  using SliceBuffer = grpc_event_engine::experimental::SliceBuffer;

  // `link` must outlive this object.
  explicit SliceSender(Link* link) : link_(*link), records_(link) {}

  // The next Send() begins with a new buffer.
  void Start() { slice_ = offset_ = 0; }

  // Sends as much of `data` as fits and publishes it. True: all is sent; false: call again with the
  // same buffer, when there is space unless paused(). DATA_LOSS: the peer broke the ring or the
  // return ring. `in_turns`: stops as soon as kTurnBytes have been copied.
  absl::StatusOr<bool> Send(SliceBuffer& data, bool in_turns = false);
  // Whether the last Send() stopped for that.
  bool paused() const { return paused_; }

  // How much a thread copies at a time for which others wait.
  static constexpr size_t kTurnBytes = 64 << 10;

 private:
  // Each sends some of the next bytes and returns how many; 0: no free space, or, for the second
  // and third, no free block. `run` is how many bytes may go through the ring as one record.
  absl::StatusOr<size_t> SendSome(SliceBuffer& data);
  absl::StatusOr<size_t> SendInPlace(SliceBuffer& data);
  absl::StatusOr<size_t> SendByBlock(SliceBuffer& data);
  absl::StatusOr<size_t> SendThroughRing(SliceBuffer& data, size_t run);

  absl::Span<const char> Current(SliceBuffer& data) const;
  void Advance(SliceBuffer& data, size_t bytes);
  bool IsLarge(size_t bytes) const;
  void Copied(size_t bytes) { turn_left_ -= std::min(bytes, turn_left_); }

  Link& link_;
  RecordWriter records_;
  // Where we are.
  size_t slice_ = 0;
  size_t offset_ = 0;
  size_t turn_left_ = 0;
  bool paused_ = false;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_ENDPOINT_SLICE_SENDER_H_
