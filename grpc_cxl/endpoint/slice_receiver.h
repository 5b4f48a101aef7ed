// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_ENDPOINT_SLICE_RECEIVER_H_
#define GRPC_CXL_ENDPOINT_SLICE_RECEIVER_H_

#include <grpc/event_engine/slice_buffer.h>

#include "absl/status/statusor.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/link/record_reader.h"

namespace grpc_cxl::internal {

// Turns what comes over a link into gRPC's slices. Bytes of the ring are copied out. Lent bytes
// reach gRPC in place when they are many (kBlockThreshold) and the peer is trusted not to change
// them under gRPC's parsers: such a loan lasts until the last user drops the slice, on any thread,
// and keeps the memory mapped, long after the link if need be. All others are copied and given back
// at once.
//
// A reader of the link: one thread at a time.
class SliceReceiver {
 public:
  using SliceBuffer = grpc_event_engine::experimental::SliceBuffer;

  // `link` must outlive this object.
  SliceReceiver(Link* link, bool trust_peer)
      : link_(*link), records_(link), trust_peer_(trust_peer) {}

  // Appends what has come to `buffer`, at most about a ring full, so that a fast writer does not
  // keep the thread. False: nothing has come. DATA_LOSS: the peer broke the ring or wrote an
  // impossible record; what came before it was appended by an earlier call.
  absl::StatusOr<bool> Receive(SliceBuffer* buffer);

 private:
  Link& link_;
  RecordReader records_;
  const bool trust_peer_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_ENDPOINT_SLICE_RECEIVER_H_
