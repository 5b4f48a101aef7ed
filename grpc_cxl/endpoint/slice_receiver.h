#ifndef GRPC_CXL_ENDPOINT_SLICE_RECEIVER_H_
#define GRPC_CXL_ENDPOINT_SLICE_RECEIVER_H_

#include <grpc/event_engine/slice_buffer.h>

#include "absl/status/statusor.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/link/record_reader.h"

namespace grpc_cxl::internal {

// Turns what comes over a link into gRPC's slices. What went through the ring is copied out.
// What is lent, gRPC gets in place, if the peer is trusted not to change it under gRPC's
// parsers; a loan then lasts until the last user drops the slice, on whatever thread, and the
// memory stays mapped for it, long after the link if need be. From other peers it is copied
// and given back at once.
//
// A reader of the link: one thread at a time.
class SliceReceiver {
 public:
  using SliceBuffer = grpc_event_engine::experimental::SliceBuffer;

  // `link` must outlive this object.
  SliceReceiver(Link* link, bool trust_peer)
      : link_(*link), records_(link), trust_peer_(trust_peer) {}

  // Appends to `buffer` what there is, at most about a ring full at a time: a fast writer
  // must not keep us for ever. Whether that was anything. DATA_LOSS when the peer broke the
  // ring or wrote a record that cannot be; what came before it has been appended, and the
  // error comes with the next call.
  absl::StatusOr<bool> Receive(SliceBuffer* buffer);

 private:
  Link& link_;
  RecordReader records_;
  const bool trust_peer_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_ENDPOINT_SLICE_RECEIVER_H_
