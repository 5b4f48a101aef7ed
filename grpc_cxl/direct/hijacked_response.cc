// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/hijacked_response.h"

#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/direct/metadata_view.h"
#include "grpc_cxl/direct/no_room.h"
#include "grpc_cxl/payload/block_slices.h"

namespace grpc_cxl::internal {
namespace {

using grpc::experimental::InterceptionHookPoints;

constexpr char kBroken[] = "the server broke the protocol of direct calls";

grpc::Status Unavailable(const char* why) {
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, why);
}

// The text is gRPC's.
grpc::Status MessageTooLarge(uint64_t bytes, int64_t limit) {
  return grpc::Status(
      grpc::StatusCode::RESOURCE_EXHAUSTED,
      absl::StrCat("CLIENT: Received message larger than max (", bytes, " vs. ", limit, ")"));
}

void Insert(const MetadataView& from, std::multimap<grpc::string_ref, grpc::string_ref>* to) {
  for (const auto& [key, value] : from) {
    to->emplace(grpc::string_ref(key.data(), key.size()),
                grpc::string_ref(value.data(), value.size()));
  }
}

}  // namespace

void HijackedResponse::Set(CallOutcome outcome, const CallRoute& link,
                           const DirectChannel& channel) {
  switch (outcome.kind) {
    case CallOutcome::Kind::kNotRun:
    case CallOutcome::Kind::kLost:
      return Set(Unavailable("the server closed the connection or died while it had the call"));
    case CallOutcome::Kind::kBroken:
      return Set(Unavailable(kBroken));
    case CallOutcome::Kind::kTooLarge:
      bytes_ = std::move(outcome.response);
      return SetTooLarge(link, channel);
    case CallOutcome::Kind::kResponse:
      bytes_ = std::move(outcome.response);
      return Decode(link, channel);
  }
}

void HijackedResponse::SetNoRoom(int64_t pushback_ms) {
  bytes_ = absl::StrCat(pushback_ms);
  response_.trailing_metadata = {{kPushbackKey, bytes_}};
  Set(NoRoom(bytes_));
}

void HijackedResponse::SetTooLarge(const CallRoute& link, const DirectChannel& channel) {
  ResponseHead head{};
  memcpy(&head, bytes_.data(), std::min(sizeof(head), bytes_.size()));
  if (absl::Status returned = ReturnUnread(link.blocks, head.block); !returned.ok()) {
    link.owner->End(returned);
  }
  if (!CheckMetadata(head.initial_metadata_bytes, channel.max_metadata_bytes) ||
      !CheckMetadata(head.trailing_metadata_bytes, channel.max_metadata_bytes)) {
    return;
  }
  Set(MessageTooLarge(head.message_bytes, channel.max_receive_bytes));
}

void HijackedResponse::Decode(const CallRoute& link, const DirectChannel& channel) {
  absl::StatusOr<ResponseView> decoded = DecodeResponse(bytes_);
  if (!decoded.ok()) {
    return Set(grpc::Status(grpc::StatusCode::INTERNAL, std::string(decoded.status().message())));
  }
  uint64_t message_bytes = decoded->message.size();
  std::optional<grpc::ByteBuffer> in_block;
  if (decoded->block.bytes > 0) {
    const absl::StatusOr<grpc::Slice> block = BorrowSlice(link.blocks, decoded->block);
    if (!block.ok()) {
      link.owner->End(block.status());
      return Set(Unavailable(kBroken));
    }
    in_block.emplace(&*block, 1);
    message_bytes = block->size();
  }
  Take(*std::move(decoded), std::move(in_block), message_bytes, channel);
}

void HijackedResponse::Set(const grpc::Status& status, const grpc::ClientContext& context,
                           grpc::ByteBuffer message, const DirectChannel& channel) {
  bytes_ = status.error_message();
  bytes_ += status.error_details();
  const size_t message_end = status.error_message().size();
  ResponseView response;
  response.code = static_cast<uint32_t>(status.error_code());
  response.status_message = absl::string_view(bytes_).substr(0, message_end);
  response.status_details = absl::string_view(bytes_).substr(message_end);
  response.initial_metadata = ViewOf(context.GetServerInitialMetadata());
  response.trailing_metadata = ViewOf(context.GetServerTrailingMetadata());
  response.has_message = status.ok();
  const uint64_t message_bytes = status.ok() ? message.Length() : 0;
  Take(std::move(response), std::move(message), message_bytes, channel);
}

void HijackedResponse::Take(ResponseView response, std::optional<grpc::ByteBuffer> message,
                            uint64_t message_bytes, const DirectChannel& channel) {
  if (!CheckMetadata(MetadataSize(response.initial_metadata), channel.max_metadata_bytes)) return;
  if (channel.max_receive_bytes >= 0 &&
      message_bytes > static_cast<uint64_t>(channel.max_receive_bytes)) {
    response_.initial_metadata = std::move(response.initial_metadata);
    response_.trailing_metadata = std::move(response.trailing_metadata);
    return Set(MessageTooLarge(message_bytes, channel.max_receive_bytes));
  }
  if (!CheckMetadata(MetadataSize(response.trailing_metadata), channel.max_metadata_bytes)) {
    response_.initial_metadata = std::move(response.initial_metadata);
    return;
  }
  response_ = std::move(response);
  message_ = std::move(message);
  Set(grpc::Status(static_cast<grpc::StatusCode>(response_.code),
                   std::string(response_.status_message), std::string(response_.status_details)));
  has_message_ = response_.has_message && status_.ok();
  message_bytes_ = message_bytes;
}

bool HijackedResponse::CheckMetadata(size_t bytes, size_t limit) {
  if (bytes <= limit) return true;
  Set(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, MetadataTooLarge(bytes, limit)));
  return false;
}

bool HijackedResponse::Parse(google::protobuf::Message* message) {
  if (!message_.has_value()) {
    return message->ParseFromArray(response_.message.data(),
                                   static_cast<int>(response_.message.size()));
  }
  // gRPC's reader lets Cord fields share the slice.
  grpc::ByteBuffer buffer = *std::exchange(message_, std::nullopt);
  grpc::ProtoBufferReader reader(&buffer);
  return reader.status().ok() && message->ParseFromZeroCopyStream(&reader);
}

void HijackedResponse::Deliver(grpc::experimental::InterceptorBatchMethods* methods) {
  if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_RECV_INITIAL_METADATA)) {
    Insert(response_.initial_metadata, methods->GetRecvInitialMetadata());
  }
  if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_RECV_MESSAGE)) {
    auto* const message = static_cast<google::protobuf::Message*>(methods->GetRecvMessage());
    if (has_message_ && !Parse(message)) {
      status_ = grpc::Status(grpc::StatusCode::INTERNAL, "Failed to parse the response");
      has_message_ = false;
    }
    if (!has_message_) methods->FailHijackedRecvMessage();
  }
  Insert(response_.trailing_metadata, methods->GetRecvTrailingMetadata());
  *methods->GetRecvStatus() = status_;
}

}  // namespace grpc_cxl::internal
