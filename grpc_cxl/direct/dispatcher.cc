// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/dispatcher.h"

#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "grpc_cxl/blocks/block_pool.h"
#include "grpc_cxl/direct/call_observer.h"
#include "grpc_cxl/direct/call_place.h"
#include "grpc_cxl/direct/legal_metadata.h"
#include "grpc_cxl/direct/metadata_limit.h"
#include "grpc_cxl/direct/metadata_view.h"
#include "grpc_cxl/direct/stream_dispatcher.h"
#include "grpc_cxl/payload/block_slices.h"
#include "grpc_cxl/payload/peer_metadata.h"

namespace grpc_cxl::internal {
namespace {

// A longer timeout means no deadline: a time point could not hold it.
constexpr uint64_t kLongestTimeout = uint64_t{100} * 365 * 24 * 3600 * 1'000'000'000;

// A call on the in-process channel. Deletes itself at its end.
class RunningCall final : public Cancellable {
 public:
  RunningCall(std::shared_ptr<ServerLinkUser> connection, ServerCalls::CallId call)
      : connection_(std::move(connection)), call_(call) {}

  absl::Status Start(const RequestView& request, Dispatcher& dispatcher) {
    if (absl::Status status =
            dispatcher.Prepare(request, connection_->peer(), &context_, &observed_);
        !status.ok()) {
      return status;
    }
    absl::StatusOr<grpc::Slice> message = Message(request);
    if (!message.ok()) return message.status();
    message_ = grpc::ByteBuffer(&*message, 1);
    if (observed_ != nullptr) observed_->Began(message->size());
    if (const std::string place = connection_->NamePlace(call_); !place.empty()) {
      context_.AddMetadata(CallPlace::kKey, place);
    }
    connection_->Running(call_, this);
    dispatcher.Call(request.method, &context_, &message_, &response_,
                    [this](const grpc::Status& status) { Finish(status); });
    return absl::OkStatus();
  }

  void Cancel() override { context_.TryCancel(); }

 private:
  absl::StatusOr<grpc::Slice> Message(const RequestView& request) const {
    if (request.block.bytes > 0) return BorrowSlice(connection_->blocks(), request.block);
    // A copy: Cords and ByteBuffers of the service may keep it longer than the call lasts.
    return grpc::Slice(request.message.data(), request.message.size());
  }

  void Finish(const grpc::Status& status) {
    const auto code = static_cast<uint32_t>(status.error_code());
    if (observed_ != nullptr) {
      observed_->Ended(code, status.error_message(), status.ok() ? response_.Length() : 0);
    }
    if (!call_.wants_response) {
      connection_->Respond(call_, {}, code);
      delete this;
      return;
    }
    const std::string status_message = status.error_message();
    const std::string status_details = status.error_details();
    ResponseView view;
    view.code = code;
    view.status_message = status_message;
    view.status_details = status_details;
    view.initial_metadata = ViewOf(context_.GetServerInitialMetadata());
    view.trailing_metadata = ViewOf(context_.GetServerTrailingMetadata());
    view.has_message = status.ok();
    std::vector<grpc::Slice> slices;
    size_t message_bytes = 0;
    if (status.ok() && response_.Dump(&slices).ok()) {
      for (const grpc::Slice& slice : slices) message_bytes += slice.size();
    }
    if (message_bytes >= std::min(kBlockThreshold, connection_->buffer_bytes())) {
      const auto lent = LendSlices(connection_->blocks(), slices, message_bytes, call_.priority);
      view.block = lent.value_or(BlockDescriptor{});
    }
    if (view.block.bytes > 0) {
      slices.clear();
      message_bytes = 0;
    }
    std::string bytes = EncodeResponseHead(view, message_bytes);
    for (const grpc::Slice& slice : slices) {
      bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
    connection_->Respond(call_, std::move(bytes), code);
    delete this;
  }

  const std::shared_ptr<ServerLinkUser> connection_;
  const ServerCalls::CallId call_;
  grpc::ClientContext context_;
  grpc::ByteBuffer message_;
  grpc::ByteBuffer response_;
  std::unique_ptr<ObservedCall> observed_;  // null: nobody does
};

std::shared_ptr<grpc::Channel> InProcessChannel(grpc::Server& server) {
  grpc::ChannelArguments arguments;
  // The client's and the server's limits apply, not this channel's.
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  arguments.SetInt(GRPC_ARG_ENABLE_CHANNELZ, 0);
  arguments.SetInt(GRPC_ARG_MINIMAL_STACK, 1);
  return server.InProcessChannel(arguments);
}

}  // namespace

Dispatcher::Dispatcher(grpc::Server& server, std::string authority, size_t max_metadata_bytes,
                       uint64_t max_message_bytes)
    : authority_(std::move(authority)),
      max_metadata_bytes_(max_metadata_bytes),
      max_message_bytes_(max_message_bytes),
      stub_(InProcessChannel(server)) {}

absl::Status Dispatcher::Prepare(const RequestView& request, const std::string& peer,
                                 grpc::ClientContext* context,
                                 std::unique_ptr<ObservedCall>* observed) const {
  context->set_authority(authority_);
  if (CallObserver* const observer = CallObserver::Get()) {
    *observed = observer->AtServer(request.method);
  }
  ObservedCall::Metadata annotated;  // of observed calls
  for (const auto& [key, value] : request.metadata) {
    const bool is_authority = key == kAuthorityKey;
    if (!IsLegalMetadata(is_authority ? key.substr(1) : key, value)) {
      return absl::DataLossError("the client sent metadata that gRPC does not allow");
    }
    if (is_authority) {
      context->set_authority(std::string(value));
    } else if (key == kPeerKey || key == CallPlace::kKey) {
      continue;
    } else if (*observed != nullptr) {
      annotated.emplace(key, value);
    } else {
      context->AddMetadata(std::string(key), std::string(value));
    }
  }
  if (*observed != nullptr) (*observed)->Annotate(&annotated);
  for (const auto& [key, value] : annotated) context->AddMetadata(key, value);
  context->AddMetadata(std::string(kPeerKey), peer);
  if (request.timeout_ns < kLongestTimeout) {
    context->set_deadline(std::chrono::system_clock::now() +
                          std::chrono::nanoseconds(request.timeout_ns));
  }
  return absl::OkStatus();
}

void Dispatcher::Call(absl::string_view method, grpc::ClientContext* context,
                      const grpc::ByteBuffer* message, grpc::ByteBuffer* response,
                      std::function<void(const grpc::Status&)> done) {
  stub_.UnaryCall(context, std::string(method), grpc::StubOptions(), message, response,
                  [done = std::move(done)](const grpc::Status& status) {
                    // The shutdown deadline of a server has passed: the text of the in-process
                    // transport, and the text of HTTP/2.
                    const bool closed = status.error_code() == grpc::StatusCode::UNAVAILABLE &&
                                        status.error_message() == "Transport closed";
                    done(closed ? grpc::Status(status.error_code(), "Cancelling all calls",
                                               status.error_details())
                                : status);
                  });
}

std::string Dispatcher::Refusal(const RequestView& request) const {
  const size_t bytes = MetadataSize(request.metadata);
  return bytes > max_metadata_bytes_ ? MetadataTooLarge(bytes, max_metadata_bytes_) : "";
}

absl::Status Dispatcher::OnCall(std::shared_ptr<ServerLinkUser> connection,
                                ServerCalls::CallId call, std::string request) {
  const absl::StatusOr<RequestView> view = DecodeRequest(request);
  if (!view.ok()) return view.status();
  const std::string refusal = Refusal(*view);
  if (!refusal.empty() || view->timeout_ns == 0) {
    if (absl::Status returned = ReturnUnread(connection->blocks(), view->block); !returned.ok()) {
      return returned;
    }
    ResponseView response;
    response.code = static_cast<uint32_t>(refusal.empty() ? grpc::StatusCode::DEADLINE_EXCEEDED
                                                          : grpc::StatusCode::RESOURCE_EXHAUSTED);
    response.status_message = refusal.empty() ? "Deadline Exceeded" : refusal;
    connection->Respond(call, EncodeResponseHead(response, 0), response.code);
    return absl::OkStatus();
  }
  auto running = std::make_unique<RunningCall>(std::move(connection), call);
  absl::Status started = running->Start(*view, *this);
  if (started.ok()) running.release();  // it may be over and deleted by now
  return started;
}

std::shared_ptr<StreamUser> Dispatcher::OnStream(std::shared_ptr<ServerLinkUser> connection,
                                                 std::unique_ptr<ServerStream> stream,
                                                 StreamTerms terms,
                                                 std::shared_ptr<CallHandler> self) {
  return MakeRunningStream(std::move(connection), std::move(stream), std::move(terms), this,
                           std::move(self));
}

}  // namespace grpc_cxl::internal
