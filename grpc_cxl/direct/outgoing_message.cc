// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/outgoing_message.h"

#include <optional>

#include "grpc_cxl/blocks/block_pool.h"
#include "grpc_cxl/payload/block_slices.h"
#include "grpc_cxl/payload/message_types.h"

namespace grpc_cxl::internal {

OutgoingMessage::OutgoingMessage(grpc::experimental::InterceptorBatchMethods* methods,
                                 const google::protobuf::Message& prototype, int64_t max_bytes,
                                 const CallBlocks& blocks) {
  const void* const object = methods->GetSendMessage();
  const bool is_message = IsMessageOf(object, prototype);
  const auto* const message = static_cast<const google::protobuf::Message*>(object);
  const grpc::ByteBuffer* const buffer = is_message ? nullptr : methods->GetSerializedSendMessage();
  const size_t bytes = is_message ? message->ByteSizeLong() : buffer->Length();
  if (max_bytes >= 0 && bytes > static_cast<uint64_t>(max_bytes)) {
    too_large_ = bytes;
    return;
  }
  if (!is_message) {
    Take(*buffer, blocks);
    return;
  }
  if (bytes >= kBlockThreshold) {
    lent_ = LendMessage(blocks, *message, bytes).value_or(BlockDescriptor{});
    if (lent_.bytes > 0) return;
  }
  bytes_.resize(bytes);
  auto* const begin = reinterpret_cast<uint8_t*>(bytes_.data());
  // Otherwise another thread changes the message, and what is sent is malformed.
  if (message->SerializeWithCachedSizesToArray(begin) != begin + bytes) bytes_.clear();
}

OutgoingMessage::OutgoingMessage(const grpc::ByteBuffer& message, const CallBlocks& blocks) {
  Take(message, blocks);
}

void OutgoingMessage::Take(const grpc::ByteBuffer& message, const CallBlocks& blocks) {
  if (!message.Dump(&slices_).ok()) slices_.clear();
  size_t bytes = 0;
  for (const grpc::Slice& slice : slices_) bytes += slice.size();
  if (bytes >= kBlockThreshold) {
    lent_ = LendSlices(blocks, slices_, bytes).value_or(BlockDescriptor{});
  }
}

size_t OutgoingMessage::bytes() const {
  if (lent_.bytes > 0) return lent_.bytes;
  size_t bytes = 0;
  for (const absl::Span<const char> piece : pieces()) bytes += piece.size();
  return bytes;
}

absl::InlinedVector<absl::Span<const char>, 2> OutgoingMessage::pieces() const {
  if (lent_.bytes > 0) return {{reinterpret_cast<const char*>(&lent_), sizeof(lent_)}};
  if (slices_.empty()) return {absl::MakeConstSpan(bytes_)};
  absl::InlinedVector<absl::Span<const char>, 2> pieces;
  for (const grpc::Slice& slice : slices_) {
    pieces.emplace_back(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return pieces;
}

}  // namespace grpc_cxl::internal
