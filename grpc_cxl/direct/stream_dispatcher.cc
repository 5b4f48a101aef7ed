// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/stream_dispatcher.h"

#include <grpc/event_engine/event_engine.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/slice.h>

#include <cstring>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/calls/call_codec.h"
#include "grpc_cxl/direct/call_observer.h"
#include "grpc_cxl/direct/call_place.h"
#include "grpc_cxl/direct/metadata_view.h"
#include "grpc_cxl/direct/outgoing_message.h"
#include "grpc_cxl/payload/block_slices.h"

namespace grpc_cxl::internal {
namespace {

using Bytes = grpc::ByteBuffer;
using grpc_event_engine::experimental::GetDefaultEventEngine;

// gRPC's operations are begun with the lock: their callbacks never run inside of that. A hold lets
// the polling thread begin some; Release() gives it back when it begins none any more.
class RunningStream final : public StreamUser,
                            public grpc::ClientBidiReactor<Bytes, Bytes>,
                            public std::enable_shared_from_this<RunningStream> {
 public:
  RunningStream(std::shared_ptr<ServerLinkUser> connection, std::unique_ptr<ServerStream> stream,
                StreamTerms terms, Dispatcher* dispatcher, std::shared_ptr<CallHandler> handler)
      : connection_(std::move(connection)),
        dispatcher_(dispatcher),
        handler_(std::move(handler)),
        stream_(std::move(stream)),
        terms_(std::move(terms)) {}

  void OnNews() override {
    Use([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return Advance(); });
  }

  void OnRest() override {
    absl::MutexLock lock(mu_);
    if (stream_ != nullptr) stream_->Rest();
  }

  void OnEnded() override {
    Use([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      connection_ended_ = true;
      Cancel();
      // Otherwise OnDone() comes, and does it.
      if (!started_ || done_) Over();
      return absl::OkStatus();
    });
  }

  void OnReadInitialMetadataDone(bool ok) override {
    Use([this, ok]()
            ABSL_NO_THREAD_SAFETY_ANALYSIS { return ok ? WriteHead() : absl::OkStatus(); });
  }

  void OnReadDone(bool ok) override {
    Use([this, ok]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      reading_ = false;
      if (!ok) Release();
      if (released_ || stream_ == nullptr) return absl::OkStatus();
      absl::Status written = WriteHead();
      if (written.ok() && !released_) {
        const OutgoingMessage message(response_, connection_->blocks());
        terms_.figures->messages_out.Add();
        if (observed_ != nullptr) observed_->Sent(response_.Length());
        written = stream_->Write(message.kind(), message.pieces());
      }
      response_.Clear();
      if (written.ok()) ReadNext();
      return written;
    });
  }

  void OnWriteDone(bool ok) override {
    Use([this, ok]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      writing_ = false;
      request_.Clear();
      return ok ? Advance() : absl::OkStatus();
    });
  }

  void OnDone(const grpc::Status& status) override {
    const std::shared_ptr<RunningStream> self = std::move(self_);
    Use([this, &status]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      done_ = true;
      if (connection_ended_) {
        NoteEnd(static_cast<uint32_t>(status.error_code()), status.error_message());
        Over();
        return absl::OkStatus();
      }
      if (absl::Status written = WriteEnd(status); !written.ok()) return written;
      return Advance();
    });
  }

 private:
  // Runs `act` with the lock; an error ends the connection.
  template <typename Act>
  void Use(Act act) {
    const std::shared_ptr<RunningStream> self = shared_from_this();
    absl::Status status;
    bool over;
    std::shared_ptr<void> place;  // which another stream may take when it goes
    {
      absl::MutexLock lock(mu_);
      status = act();
      over = std::exchange(tell_over_, false);
      if (done_ || stream_ == nullptr) place = std::move(terms_.place);
      if (stream_ != nullptr && stream_->starved()) FlushLater();
    }
    place = nullptr;
    if (!status.ok()) connection_->EndConnection(std::move(status));
    if (over) connection_->StreamOver();
  }

  void FlushLater() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (std::exchange(flushes_later_, true)) return;
    GetDefaultEventEngine()->RunAfter(StreamEnd::kStarvedPause, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (self == nullptr) return;
      self->Use([&self]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
        self->flushes_later_ = false;
        return self->Advance();
      });
    });
  }

  // Moves on what can be moved.
  absl::Status Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (stream_ == nullptr || connection_ended_) return absl::OkStatus();
    const bool closed = stream_->closed();  // before the last look
    if (!stream_->ready()) {
      if (absl::Status written = stream_->Flush(); !written.ok()) return written;
    }
    if (started_ && !done_) ReadNext();
    stream_->BeginLook();
    while (!writing_ && (!half_closed_ || done_)) {
      StreamItem record;
      const absl::StatusOr<bool> complete = stream_->Next(&record);
      if (!complete.ok()) return complete.status();
      if (!*complete) break;
      if (absl::Status taken = Take(std::move(record)); !taken.ok()) return taken;
    }
    // Behind the records: a head may end the stream.
    if (done_ && stream_->all_written() && !std::exchange(ended_, true)) {
      stream_->SetEnded();
      tell_over_ = true;
    }
    if (stream_->cancelled()) Cancel();
    if (closed && (done_ || !started_)) {
      stream_->Free();
      Over();
    }
    return absl::OkStatus();
  }

  void Over() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (stream_ == nullptr) return;
    if (connection_ended_ && !std::exchange(ended_, true)) stream_->SetEnded();
    stream_ = nullptr;
    tell_over_ = true;
  }

  void NoteMessage(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    terms_.figures->messages_in.Add();
    if (observed_ != nullptr) observed_->Received(bytes);
  }

  void NoteEnd(uint32_t code, absl::string_view text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    terms_.figures->Ended(code);
    if (observed_ != nullptr) observed_->Ended(code, text, 0);
  }

  absl::Status Take(StreamItem record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (!started_ && !done_) {
      if (record.kind != StreamRecord::kHead) return Broken("a stream does not begin with a head");
      return Start(std::move(record.bytes));
    }
    switch (record.kind) {
      case StreamRecord::kHead:
        return Broken("a second head");
      case StreamRecord::kEnd:
        if (std::exchange(half_closed_, true)) return Broken("a second end");
        if (!record.bytes.empty()) return Broken("an end that is not empty");
        if (!released_) StartWritesDone();
        return absl::OkStatus();
      case StreamRecord::kMessage:
        if (half_closed_) return Broken("a message behind the end");
        if (record.too_large > 0) {
          too_large_ = absl::StrCat("SERVER: Received message larger than max (", record.too_large,
                                    " vs. ", dispatcher_->max_message_bytes(), ")");
          Cancel();
        }
        if (!released_) {
          NoteMessage(record.bytes.size());
          auto* const bytes = new std::string(std::move(record.bytes));
          grpc::Slice slice(
              bytes->data(), bytes->size(),
              [](void* held) { delete static_cast<std::string*>(held); }, bytes);
          StartNext(slice);
        }
        return absl::OkStatus();
      case StreamRecord::kBlock: {
        if (half_closed_) return Broken("a message behind the end");
        BlockDescriptor descriptor;
        memcpy(&descriptor, record.bytes.data(), sizeof(descriptor));
        if (released_) return ReturnUnread(connection_->blocks(), descriptor);
        const absl::StatusOr<grpc::Slice> slice = BorrowSlice(connection_->blocks(), descriptor);
        if (!slice.ok()) return slice.status();
        NoteMessage(slice->size());
        StartNext(*slice);
        return absl::OkStatus();
      }
    }
    return Broken("a record of no kind");
  }

  static absl::Status Broken(const char* how) {
    return absl::DataLossError(absl::StrCat("the client broke the protocol of streams: ", how));
  }

  absl::Status Start(std::string head) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    ShortenTimeout(terms_.waited_ns, &head);
    const absl::StatusOr<RequestView> request = DecodeRequest(head);
    if (!request.ok()) return request.status();
    if (!request->message.empty() || request->block.bytes > 0)
      return Broken("a head has a message");
    if (const std::string why = dispatcher_->Refusal(*request); !why.empty()) {
      done_ = released_ = true;
      return WriteEnd(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, why));
    }
    if (request->timeout_ns == 0) {  // passed while it waited
      done_ = released_ = true;
      return WriteEnd(grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded"));
    }
    if (absl::Status prepared =
            dispatcher_->Prepare(*request, connection_->peer(), &context_, &observed_);
        !prepared.ok()) {
      return prepared;
    }
    if (!terms_.place_name.empty()) context_.AddMetadata(CallPlace::kKey, terms_.place_name);
    if (observed_ != nullptr) observed_->BeganStream();
    started_ = true;
    self_ = shared_from_this();
    dispatcher_->stub().PrepareBidiStreamingCall(&context_, std::string(request->method),
                                                 grpc::StubOptions(), this);
    AddHold();
    reading_ = true;
    StartRead(&response_);
    StartCall();
    return absl::OkStatus();
  }

  void StartNext(const grpc::Slice& slice) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    Bytes next(&slice, 1);
    request_.Swap(&next);
    writing_ = true;
    StartWrite(&request_);
  }

  // From the handler, if the last is in the ring.
  void ReadNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (released_ || reading_ || stream_ == nullptr || !stream_->ready()) return;
    reading_ = true;
    StartRead(&response_);
  }

  void Release() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (std::exchange(released_, true)) return;
    RemoveHold();
  }

  void Cancel() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (!started_ || std::exchange(cancelled_, true)) return;
    context_.TryCancel();
    Release();
  }

  absl::Status WriteHead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (std::exchange(head_written_, true) || stream_ == nullptr || connection_ended_) {
      return absl::OkStatus();
    }
    ResponseView view;
    view.initial_metadata = ViewOf(context_.GetServerInitialMetadata());
    const std::string bytes = EncodeResponseHead(view, 0);
    if (bytes.size() > kMostStreamHeadBytes) {
      too_large_ = TooLarge("initial metadata", bytes.size());
      Cancel();
      return absl::OkStatus();
    }
    return Write(StreamRecord::kHead, bytes);
  }

  absl::Status WriteEnd(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    // As the dispatcher has it: the text of HTTP/2.
    const bool closed = status.error_code() == grpc::StatusCode::UNAVAILABLE &&
                        status.error_message() == "Transport closed";
    const std::string message = !too_large_.empty() ? too_large_
                                : closed            ? "Cancelling all calls"
                                                    : status.error_message();
    const std::string details = status.error_details();
    ResponseView view;
    view.code = static_cast<uint32_t>(too_large_.empty() ? status.error_code()
                                                         : grpc::StatusCode::RESOURCE_EXHAUSTED);
    view.status_message = message;
    view.status_details = details;
    if (started_) view.trailing_metadata = ViewOf(context_.GetServerTrailingMetadata());
    std::string bytes = EncodeResponseHead(view, 0);
    if (bytes.size() > kMostStreamHeadBytes) {
      too_large_ = TooLarge("status and trailing metadata", bytes.size());
      view = {};
      view.code = static_cast<uint32_t>(grpc::StatusCode::RESOURCE_EXHAUSTED);
      view.status_message = too_large_;
      bytes = EncodeResponseHead(view, 0);
    }
    NoteEnd(view.code, view.status_message);
    return Write(StreamRecord::kEnd, bytes);
  }

  static std::string TooLarge(const char* what, size_t bytes) {
    return absl::StrCat("SERVER: ", what, " larger than a direct stream takes (", bytes, " vs. ",
                        kMostStreamHeadBytes, ")");
  }

  absl::Status Write(StreamRecord kind, const std::string& bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const absl::Span<const char> pieces[] = {bytes};
    return stream_->Write(kind, pieces);
  }

  const std::shared_ptr<ServerLinkUser> connection_;
  Dispatcher* const dispatcher_;
  const std::shared_ptr<CallHandler> handler_;  // keeps it
  grpc::ClientContext context_;
  std::unique_ptr<ObservedCall> observed_;  // null: nobody does

  absl::Mutex mu_;
  std::unique_ptr<ServerStream> stream_ ABSL_GUARDED_BY(mu_);  // null: over
  StreamTerms terms_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<RunningStream> self_;  // from Start() to OnDone()
  // Of the operations under way.
  Bytes request_, response_;
  std::string too_large_ ABSL_GUARDED_BY(mu_);
  bool started_ ABSL_GUARDED_BY(mu_) = false;
  bool reading_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool half_closed_ ABSL_GUARDED_BY(mu_) = false;  // by the client
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  bool released_ ABSL_GUARDED_BY(mu_) = false;
  bool head_written_ ABSL_GUARDED_BY(mu_) = false;
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;  // with the status in the ring
  bool connection_ended_ ABSL_GUARDED_BY(mu_) = false;
  bool tell_over_ ABSL_GUARDED_BY(mu_) = false;
  bool flushes_later_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace

std::shared_ptr<StreamUser> MakeRunningStream(std::shared_ptr<ServerLinkUser> connection,
                                              std::unique_ptr<ServerStream> stream,
                                              StreamTerms terms, Dispatcher* dispatcher,
                                              std::shared_ptr<CallHandler> handler) {
  stream->LimitMessages(dispatcher->max_message_bytes());
  return std::make_shared<RunningStream>(std::move(connection), std::move(stream), std::move(terms),
                                         dispatcher, std::move(handler));
}

}  // namespace grpc_cxl::internal
