// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_PAYLOAD_BLOCK_SLICES_H_
#define GRPC_CXL_PAYLOAD_BLOCK_SLICES_H_

#include <google/protobuf/message.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "grpc_cxl/blocks/block_layout.h"
#include "grpc_cxl/payload/call_blocks.h"
#include "grpc_cxl/priority_level.h"

// Messages of direct calls in payload blocks. All of it counts in PayloadCounters.
// Thread-safe.
namespace grpc_cxl::internal {

// Serialises `message`, whose ByteSizeLong() was just `bytes`, into a block and lends it to
// the peer. Nothing when no block is free for a message of this priority.
std::optional<BlockDescriptor> LendMessage(const CallBlocks& blocks,
                                           const google::protobuf::Message& message, size_t bytes,
                                           Priority priority = Priority::kDefault);

// The same for a message in slices, `bytes` in all: lent where it is when it already lies in a
// block of this connection, else copied into one.
std::optional<BlockDescriptor> LendSlices(const CallBlocks& blocks,
                                          const std::vector<grpc::Slice>& slices, size_t bytes,
                                          Priority priority = Priority::kDefault);

// What the peer lent: in place, for as long as the slice lives, if the peer is trusted and has lent
// at least kBlockThreshold bytes; else copied and given back. DATA_LOSS when the peer cannot have
// lent that.
absl::StatusOr<grpc::Slice> BorrowSlice(const CallBlocks& blocks, BlockDescriptor descriptor);

// Gives back at once what the peer lent, which may be nothing. DATA_LOSS as above.
absl::Status ReturnUnread(const CallBlocks& blocks, BlockDescriptor descriptor);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_PAYLOAD_BLOCK_SLICES_H_
