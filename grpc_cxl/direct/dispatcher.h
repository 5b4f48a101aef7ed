// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_DISPATCHER_H_
#define GRPC_CXL_DIRECT_DISPATCHER_H_

#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/server.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/calls/call_codec.h"
#include "grpc_cxl/direct/call_observer.h"
#include "grpc_cxl/direct/server_link_user.h"

namespace grpc_cxl::internal {

// Runs direct calls on a server through its in-process channel: interceptors, deadlines,
// cancellation, size limits and registered services see an ordinary call. Requests and responses
// pass as bytes. Thread-safe.
class Dispatcher final : public CallHandler {
 public:
  // `authority` is the host of calls that name none. Calls with more than `max_metadata_bytes` end
  // RESOURCE_EXHAUSTED. `max_message_bytes`: of requests in streams; the server checks others.
  Dispatcher(grpc::Server& server, std::string authority, size_t max_metadata_bytes,
             uint64_t max_message_bytes = UINT64_MAX);

  // How a call begins, for those who wait for its end. Prepare() sets what `request` says of the
  // call, DATA_LOSS when its metadata is malformed, and Call() begins it; `context`, `message` and
  // `response` must stay until `done`, which gets the status as the client should. `peer` is the
  // text of ServerContext::peer() on the stream path. `*observed` becomes the server's, if somebody
  // observes the call; Began() and Ended() are for the caller.
  absl::Status Prepare(const RequestView& request, const std::string& peer,
                       grpc::ClientContext* context, std::unique_ptr<ObservedCall>* observed) const;
  void Call(absl::string_view method, grpc::ClientContext* context, const grpc::ByteBuffer* message,
            grpc::ByteBuffer* response, std::function<void(const grpc::Status&)> done);
  // Why a call with so much metadata must not begin; empty: it may.
  std::string Refusal(const RequestView& request) const;

  // DATA_LOSS when the request or its metadata is malformed.
  absl::Status OnCall(std::shared_ptr<ServerLinkUser> connection, ServerCalls::CallId call,
                      std::string request) override;
  std::shared_ptr<StreamUser> OnStream(std::shared_ptr<ServerLinkUser> connection,
                                       std::unique_ptr<ServerStream> stream, StreamTerms terms,
                                       std::shared_ptr<CallHandler> self) override;

  // For streams.
  grpc::GenericStub& stub() { return stub_; }
  uint64_t max_message_bytes() const { return max_message_bytes_; }

 private:
  const std::string authority_;
  const size_t max_metadata_bytes_;
  const uint64_t max_message_bytes_;
  grpc::GenericStub stub_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_DISPATCHER_H_
