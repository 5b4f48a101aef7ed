// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/stream_result.h"

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <cstring>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpc_cxl/direct/metadata_limit.h"
#include "grpc_cxl/direct/no_room.h"
#include "grpc_cxl/payload/block_slices.h"
#include "grpc_cxl/payload/message_types.h"

namespace grpc_cxl::internal {
namespace {

using grpc::experimental::InterceptorBatchMethods;

void Insert(const MetadataView& from, std::multimap<grpc::string_ref, grpc::string_ref>* to) {
  for (const auto& [key, value] : from) {
    to->emplace(grpc::string_ref(key.data(), key.size()),
                grpc::string_ref(value.data(), value.size()));
  }
}

}  // namespace

absl::Status StreamResult::Take(StreamItem record, const CallBlocks& blocks) {
  switch (record.kind) {
    case StreamRecord::kHead:
      return TakeHead(std::move(record.bytes));
    case StreamRecord::kEnd:
      return TakeEnd(std::move(record.bytes));
    case StreamRecord::kMessage:
      return ended_ ? absl::OkStatus() : Add({std::move(record.bytes), std::nullopt});
    case StreamRecord::kBlock: {
      BlockDescriptor descriptor;
      memcpy(&descriptor, record.bytes.data(), sizeof(descriptor));
      if (ended_) return ReturnUnread(blocks, descriptor);
      absl::StatusOr<grpc::Slice> slice = BorrowSlice(blocks, descriptor);
      if (!slice.ok()) return slice.status();
      return Add({{}, *std::move(slice)});
    }
  }
  return absl::DataLossError("the server broke the protocol of streams");
}

absl::Status StreamResult::Add(Message message) {
  if (!messages_.empty() && unread_bytes_ - messages_.front().size() > kMostUnread) {
    return absl::DataLossError("the server sent more than a stream may have unread");
  }
  unread_bytes_ += message.size();
  messages_.push_back(std::move(message));
  return absl::OkStatus();
}

absl::Status StreamResult::TakeHead(std::string bytes) {
  if (initial_.has_value()) return absl::DataLossError("the server sent initial metadata twice");
  Response& head = initial_.emplace();
  head.bytes = std::move(bytes);
  absl::StatusOr<ResponseView> view = DecodeResponse(head.bytes);
  if (!view.ok()) return view.status();
  head.view = *std::move(view);
  const size_t size = MetadataSize(head.view.initial_metadata);
  if (ended_ || size <= max_metadata_bytes_) return absl::OkStatus();
  head.view.initial_metadata.clear();
  return TooMuch(MetadataTooLarge(size, max_metadata_bytes_));
}

absl::Status StreamResult::TakeEnd(std::string bytes) {
  if (ended_) return absl::OkStatus();
  Response& end = last_.emplace();
  end.bytes = std::move(bytes);
  absl::StatusOr<ResponseView> view = DecodeResponse(end.bytes);
  if (!view.ok()) return view.status();
  end.view = *std::move(view);
  const size_t size = MetadataSize(end.view.trailing_metadata);
  if (size > max_metadata_bytes_) {
    end.view.trailing_metadata.clear();
    return TooMuch(MetadataTooLarge(size, max_metadata_bytes_));
  }
  ended_ = true;
  status_ =
      grpc::Status(static_cast<grpc::StatusCode>(end.view.code),
                   std::string(end.view.status_message), std::string(end.view.status_details));
  return absl::OkStatus();
}

absl::Status StreamResult::TooMuch(std::string why) {
  End(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, why));
  return absl::ResourceExhaustedError(why);
}

void StreamResult::End(grpc::Status status) {
  if (std::exchange(ended_, true)) return;
  status_ = std::move(status);
  DropMessages();
}

void StreamResult::EndWithoutRoom(int64_t pushback_ms) {
  pushback_ = absl::StrCat(pushback_ms);
  End(NoRoom(pushback_));
}

void StreamResult::GiveInitialMetadata(InterceptorBatchMethods* methods) const {
  if (initial_.has_value()) {
    Insert(initial_->view.initial_metadata, methods->GetRecvInitialMetadata());
  }
}

void StreamResult::GiveMessage(InterceptorBatchMethods* methods,
                               const google::protobuf::Message& prototype) {
  void* const into = methods->GetRecvMessage();
  if (messages_.empty() || !IsMessageOf(into, prototype)) return methods->FailHijackedRecvMessage();
  unread_bytes_ -= messages_.front().size();
  Message message = std::move(messages_.front());
  messages_.pop_front();
  if (!Parse(std::move(message), static_cast<google::protobuf::Message*>(into))) {
    methods->FailHijackedRecvMessage();
  }
}

bool StreamResult::Parse(Message message, google::protobuf::Message* into) {
  if (!message.slice.has_value()) {
    return into->ParseFromArray(message.bytes.data(), static_cast<int>(message.bytes.size()));
  }
  // gRPC's reader lets Cord fields share the slice.
  grpc::ByteBuffer buffer(&*message.slice, 1);
  message.slice.reset();
  grpc::ProtoBufferReader reader(&buffer);
  return reader.status().ok() && into->ParseFromZeroCopyStream(&reader);
}

void StreamResult::GiveStatus(InterceptorBatchMethods* methods) const {
  if (last_.has_value()) {
    Insert(last_->view.trailing_metadata, methods->GetRecvTrailingMetadata());
  }
  if (!pushback_.empty()) {
    methods->GetRecvTrailingMetadata()->emplace(kPushbackKey, pushback_);
  }
  *methods->GetRecvStatus() = status_;
}

}  // namespace grpc_cxl::internal
