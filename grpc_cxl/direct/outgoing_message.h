// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_OUTGOING_MESSAGE_H_
#define GRPC_CXL_DIRECT_OUTGOING_MESSAGE_H_

#include <google/protobuf/message.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/client_interceptor.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "grpc_cxl/blocks/block_layout.h"
#include "grpc_cxl/payload/call_blocks.h"
#include "grpc_cxl/streams/stream_layout.h"

namespace grpc_cxl::internal {

// A message of a stream, serialised: in a block if it is large and one is free. Not thread-safe.
class OutgoingMessage {
 public:
  // The batch's message, of the class of `prototype` or serialised by gRPC. Larger than
  // `max_bytes` (-1: no limit): it is not serialised, and too_large() is its size.
  OutgoingMessage(grpc::experimental::InterceptorBatchMethods* methods,
                  const google::protobuf::Message& prototype, int64_t max_bytes,
                  const CallBlocks& blocks);
  OutgoingMessage(const grpc::ByteBuffer& message, const CallBlocks& blocks);

  uint64_t too_large() const { return too_large_; }
  size_t bytes() const;
  // Of a block; bytes are 0 if there is none.
  BlockDescriptor lent() const { return lent_; }

  StreamRecord kind() const {
    return lent_.bytes > 0 ? StreamRecord::kBlock : StreamRecord::kMessage;
  }
  // Points into this.
  absl::InlinedVector<absl::Span<const char>, 2> pieces() const;

 private:
  void Take(const grpc::ByteBuffer& message, const CallBlocks& blocks);

  uint64_t too_large_ = 0;
  BlockDescriptor lent_{};
  std::string bytes_;
  std::vector<grpc::Slice> slices_;  // instead
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_OUTGOING_MESSAGE_H_
