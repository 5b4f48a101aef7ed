#ifndef GRPC_CXL_EVENT_ENGINE_SLICE_SENDER_H_
#define GRPC_CXL_EVENT_ENGINE_SLICE_SENDER_H_

#include <grpc/event_engine/slice_buffer.h>

#include <cstddef>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/link/record_writer.h"

namespace grpc_cxl {

// Slices from this size on travel as payload blocks, smaller ones through the ring. Below it,
// a copy costs less than a block: to find, to lend and to get back.
inline constexpr size_t kBlockThreshold = 8 << 10;

// Brings gRPC's slices into a link:
//
//   slice           in a block of ours    elsewhere
//   small           copied into the ring, several to a record
//   large           lent as it is         copied into a block, that lent
//   large, and no block is free           copied into the ring, and counted
//
// A writer of the link: one thread at a time.
class SliceSender {
 public:
  using SliceBuffer = grpc_event_engine::experimental::SliceBuffer;

  // `link` must outlive this object.
  explicit SliceSender(Link* link) : link_(*link), records_(link) {}

  // What the following calls of Send() are about, from its beginning.
  void Start() { slice_ = offset_ = 0; }

  // Sends as much of `data` as there is room for and publishes it. True when that was all;
  // false: wait for space and call again with the same buffer. DATA_LOSS when the peer broke
  // the ring or the return ring.
  absl::StatusOr<bool> Send(SliceBuffer& data);

 private:
  // What a step came to: so many bytes sent; 0: no room.
  absl::StatusOr<size_t> SendLoan(absl::Span<const char> bytes);
  absl::StatusOr<size_t> SendThroughRing(SliceBuffer& data);

  absl::Span<const char> Current(SliceBuffer& data) const;
  void Advance(SliceBuffer& data, size_t bytes);
  bool GoesByBlock(size_t bytes) const;

  Link& link_;
  RecordWriter records_;
  // Where we are.
  size_t slice_ = 0;
  size_t offset_ = 0;
};

}  // namespace grpc_cxl

#endif  // GRPC_CXL_EVENT_ENGINE_SLICE_SENDER_H_
