// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_HIJACKED_RESPONSE_H_
#define GRPC_CXL_DIRECT_HIJACKED_RESPONSE_H_

#include <google/protobuf/message.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/client_interceptor.h>
#include <grpcpp/support/status.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "grpc_cxl/calls/call_codec.h"
#include "grpc_cxl/calls/client_calls.h"
#include "grpc_cxl/direct/call_routes.h"
#include "grpc_cxl/direct/direct_channel.h"

namespace grpc_cxl::internal {

// The result of a direct call as the application sees it: status, metadata, message. Must outlive
// the call's context, which holds views of it. Not thread-safe.
class HijackedResponse {
 public:
  // Any outcome but kNotRun. A message or metadata above the channel's limit becomes
  // RESOURCE_EXHAUSTED.
  void Set(CallOutcome outcome, const CallRoute& link, const DirectChannel& channel);
  void Set(grpc::Status status) { status_ = std::move(status); }
  // RESOURCE_EXHAUSTED, and when to try again.
  void SetNoRoom(int64_t pushback_ms);
  // Deliver() may yet find that the message is malformed.
  const grpc::Status& status() const { return status_; }
  size_t message_bytes() const { return message_bytes_; }
  // Of a call on the server's in-process channel: the metadata are the context's, which must stay.
  void Set(const grpc::Status& status, const grpc::ClientContext& context, grpc::ByteBuffer message,
           const DirectChannel& channel);

  // Fills the batch of the hijacked call.
  void Deliver(grpc::experimental::InterceptorBatchMethods* methods);

 private:
  void Decode(const CallRoute& link, const DirectChannel& channel);
  // Within the channel's limits.
  void Take(ResponseView response, std::optional<grpc::ByteBuffer> message, uint64_t message_bytes,
            const DirectChannel& channel);
  // Of a response of which only the first bytes are here.
  void SetTooLarge(const CallRoute& link, const DirectChannel& channel);
  // False: RESOURCE_EXHAUSTED is set.
  bool CheckMetadata(size_t bytes, size_t limit);
  // False: the response's message is malformed.
  bool Parse(google::protobuf::Message* message);

  grpc::Status status_;
  std::string bytes_;
  ResponseView response_;                    // points into bytes_, or the context
  std::optional<grpc::ByteBuffer> message_;  // when it is not in bytes_
  bool has_message_ = false;
  size_t message_bytes_ = 0;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_HIJACKED_RESPONSE_H_
