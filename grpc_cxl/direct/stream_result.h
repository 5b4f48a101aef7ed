// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_STREAM_RESULT_H_
#define GRPC_CXL_DIRECT_STREAM_RESULT_H_

#include <google/protobuf/message.h>
#include <grpcpp/support/client_interceptor.h>
#include <grpcpp/support/slice.h>
#include <grpcpp/support/status.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/calls/call_codec.h"
#include "grpc_cxl/payload/call_blocks.h"
#include "grpc_cxl/streams/stream_pipe.h"

namespace grpc_cxl::internal {

// What has come from the server of a stream, and was not yet given to the application: metadata,
// messages, status. Must outlive the call's context, which holds views of it. Not thread-safe.
class StreamResult {
 public:
  // `max_metadata_bytes`: of the initial and of the trailing metadata.
  explicit StreamResult(size_t max_metadata_bytes) : max_metadata_bytes_(max_metadata_bytes) {}

  // Takes a record. OK: it is taken. RESOURCE_EXHAUSTED: it is above a limit of the channel, and
  // the stream has ended with that. Others: the server broke the protocol.
  absl::Status Take(StreamItem record, const CallBlocks& blocks);
  // Ends the stream, unless it has ended: with `status`, and without messages that are not read.
  void End(grpc::Status status);
  // Of a stream that must not wait for its server's capacity; it may be tried again then.
  void EndWithoutRoom(int64_t pushback_ms);
  void DropMessages() { messages_.clear(), unread_bytes_ = 0; }

  bool ended() const { return ended_; }
  bool has_initial_metadata() const { return initial_.has_value(); }
  bool has_message() const { return !messages_.empty(); }
  const grpc::Status& status() const { return status_; }

  // Each for a batch with the hook. GiveMessage() fails the batch's message if there is none, or it
  // is malformed, or not of the class of `prototype`.
  void GiveInitialMetadata(grpc::experimental::InterceptorBatchMethods* methods) const;
  void GiveMessage(grpc::experimental::InterceptorBatchMethods* methods,
                   const google::protobuf::Message& prototype);
  void GiveStatus(grpc::experimental::InterceptorBatchMethods* methods) const;

 private:
  struct Message {
    std::string bytes;
    std::optional<grpc::Slice> slice;  // instead

    size_t size() const {
      return sizeof(Message) + (slice.has_value() ? slice->size() : bytes.size());
    }
  };
  // Behind the first message. A server that has ended has at most 2 MiB in blocks and a ring unread
  // before its last message.
  static constexpr size_t kMostUnread = 4 << 20;

  struct Response {
    std::string bytes;
    ResponseView view;  // points there
  };

  absl::Status Add(Message message);
  absl::Status TakeHead(std::string bytes);
  absl::Status TakeEnd(std::string bytes);
  absl::Status TooMuch(std::string why);
  static bool Parse(Message message, google::protobuf::Message* into);

  const size_t max_metadata_bytes_;
  std::optional<Response> initial_;
  std::deque<Message> messages_;
  size_t unread_bytes_ = 0;  // of all of these
  std::optional<Response> last_;
  std::string pushback_;  // for the trailing metadata; empty: none
  bool ended_ = false;
  grpc::Status status_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_STREAM_RESULT_H_
