#include "grpc_cxl/direct/interceptor.h"

#include <grpc/event_engine/event_engine.h>
#include <grpc/grpc.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/direct/call_codec.h"
#include "grpc_cxl/direct/caller_style.h"
#include "grpc_cxl/direct/message_types.h"
#include "grpc_cxl/direct/metadata.h"
#include "grpc_cxl/event_engine/poller.h"

namespace grpc_cxl {
namespace {

using google::protobuf::Message;
using grpc::experimental::ClientInterceptorFactoryInterface;
using grpc::experimental::ClientRpcInfo;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc_event_engine::experimental::EventEngine;

// What all calls of a channel share.
struct Channel {
  std::shared_ptr<ClientLinks> links;
  SpinBudget spin;
  int64_t max_send_bytes = -1;  // -1: no limit
  int64_t max_receive_bytes = -1;
};

int IntArgument(const grpc::ChannelArguments& arguments, absl::string_view key, int otherwise) {
  const grpc_channel_args all = arguments.c_channel_args();
  for (size_t i = 0; i < all.num_args; ++i) {
    if (key == all.args[i].key && all.args[i].type == GRPC_ARG_INTEGER) {
      otherwise = all.args[i].value.integer;  // the last one counts
    }
  }
  return otherwise;
}

// The budget of this thread's waits on a channel.
SpinBudget& ThreadSpin(const Channel& channel) {
  constexpr size_t kMost = 64;  // a thread that uses more channels starts anew now and then
  thread_local std::unordered_map<const Channel*, SpinBudget> budgets;
  if (budgets.size() > kMost) budgets.clear();
  return budgets.try_emplace(&channel, channel.spin).first->second;
}

class DirectCall;

// Ends a call that nobody waits for on its own thread. What may end it (the outcome, the
// deadline) share one of these; only the first finds the call.
class Pending {
 public:
  explicit Pending(DirectCall* call) : call_(call) {}

  // The call, for whoever is to end it; null when it has ended.
  DirectCall* Take() {
    absl::MutexLock lock(mu_);
    return std::exchange(call_, nullptr);
  }
  void SetTimer(EventEngine::TaskHandle timer) {
    absl::MutexLock lock(mu_);
    timer_ = timer;
  }
  EventEngine::TaskHandle timer() {
    absl::MutexLock lock(mu_);
    return timer_;
  }

 private:
  absl::Mutex mu_;
  DirectCall* call_ ABSL_GUARDED_BY(mu_);
  EventEngine::TaskHandle timer_ ABSL_GUARDED_BY(mu_) = EventEngine::TaskHandle::kInvalid;
};

// One RPC's interceptor.
//
//   Intercept(send) --eligible--> posted --response--> Hijack() -> Intercept(receive) -> done
//        |                          |
//        | not eligible             | not taken by the server
//        v                          v
//     Proceed(): the stream road, as if nothing had been
class DirectCall final : public Interceptor {
 public:
  DirectCall(const Channel& channel, std::shared_ptr<const ClientLink> link,
             const MessageTypes& types, ClientRpcInfo* info)
      : channel_(channel),
        link_(std::move(link)),
        types_(types),
        context_(info->client_context()),
        method_(info->method()) {}

  void Intercept(InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_CANCEL)) {
      Cancel();
    } else if (methods->QueryInterceptionHookPoint(
                   InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      if (Begin(methods)) return;  // goes on in End()
    } else if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_RECV_STATUS)) {
      Deliver(methods);
    } else if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_STATUS)) {
      NoteCallerWaits(method_, std::this_thread::get_id() == started_by_ &&
                                   Poller::CurrentCallback() == started_in_);
    }
    methods->Proceed();
  }

 private:
  // Posts the call if it is eligible, and waits for it or leaves it to the polling thread.
  bool Begin(InterceptorBatchMethods* methods) {
    started_by_ = std::this_thread::get_id();
    started_in_ = Poller::CurrentCallback();
    // The completion-queue API sends and receives in two batches, the second of which names
    // the response. By then the call has been made.
    if (!methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_MESSAGE)) {
      return false;
    }
    const void* const request = methods->GetSendMessage();
    if (!IsMessageOf(request, *types_.request) ||
        !IsMessageOf(methods->GetRecvMessage(), *types_.response)) {
      return false;
    }
    if (!Post(*static_cast<const Message*>(request), *methods->GetSendInitialMetadata())) {
      return false;
    }
    methods_ = methods;
    if (CallerWaits(method_)) {
      WaitHere();
    } else {
      WaitElsewhere();
    }
    return true;
  }

  bool Post(const Message& request, const std::multimap<std::string, std::string>& metadata) {
    RequestView view;
    view.method = method_;
    for (const auto& [key, value] : metadata) {
      if (!IsLegalMetadata(key, value)) return false;
      view.metadata.emplace_back(key, value);
    }
    const gpr_timespec deadline = context_->raw_deadline();
    if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) != 0) {
      const gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
      if (left.tv_sec < 0 || gpr_time_cmp(left, gpr_time_0(GPR_TIMESPAN)) <= 0) return false;
      if (left.tv_sec < int64_t{1} << 32) {
        view.timeout_ns = left.tv_sec * uint64_t{1'000'000'000} + left.tv_nsec;
      }
    }
    const size_t head_bytes = RequestHeadBytes(view);
    const size_t message_bytes = request.ByteSizeLong();
    if (channel_.max_send_bytes >= 0 &&
        message_bytes > static_cast<size_t>(channel_.max_send_bytes)) {
      return false;
    }
    ClientCalls& calls = *link_->calls;
    absl::MutexLock lock(mu_);
    if (cancelled_) return false;
    const int slot = calls.Acquire();
    if (slot < 0) return false;
    const absl::Span<char> buffer = calls.RequestBuffer(slot);
    if (head_bytes + message_bytes > buffer.size()) {
      calls.Release(slot);
      return false;
    }
    EncodeRequestHead(view, message_bytes, buffer.subspan(0, head_bytes));
    auto* const message = reinterpret_cast<uint8_t*>(buffer.data() + head_bytes);
    if (request.SerializeWithCachedSizesToArray(message) != message + message_bytes) {
      calls.Release(slot);  // somebody changes the message meanwhile; gRPC will say so
      return false;
    }
    // Status and metadata come on top of the message; HTTP/2 gives them limits of their own.
    constexpr size_t kHeadLimit = 64 << 10;
    const size_t limit = channel_.max_receive_bytes < 0
                             ? SIZE_MAX
                             : static_cast<size_t>(channel_.max_receive_bytes) + kHeadLimit;
    timeout_ns_ = view.timeout_ns;
    slot_ = slot;
    generation_ = calls.Post(slot, head_bytes + message_bytes, limit);
    return true;
  }

  void WaitHere() {
    SpinBudget& spin = ThreadSpin(channel_);
    const int64_t spin_ns = spin.nanoseconds();
    const bool deadline_first = timeout_ns_ < static_cast<uint64_t>(kPatienceNs);
    CallOutcome outcome;
    bool found_spinning = false;
    const auto start = std::chrono::steady_clock::now();
    const ClientCalls::Waited waited = link_->calls->Wait(
        slot_, spin_ns, deadline_first ? static_cast<int64_t>(timeout_ns_) : kPatienceNs, &outcome,
        &found_spinning);
    if (found_spinning) {
      spin.SpinFound();
    } else if (spin_ns > 0) {
      spin.SpinWasted();
    } else {
      spin.SleptFor((std::chrono::steady_clock::now() - start) / std::chrono::nanoseconds(1));
    }
    switch (waited) {
      case ClientCalls::Waited::kDone:
        return End(std::move(outcome));
      case ClientCalls::Waited::kStillRunning:
        return deadline_first ? GiveUp(DeadlineExceeded()) : WaitElsewhere();
    }
  }

  void WaitElsewhere() {
    auto pending = std::make_shared<Pending>(this);
    bool cancelled;
    {
      absl::MutexLock lock(mu_);
      cancelled = cancelled_;
      pending_ = pending;
    }
    const std::shared_ptr<const ClientLink> link = link_;
    const int slot = slot_;
    // From here on a timer may end the call, and with it this object.
    if (cancelled) EndSoon(pending);
    std::shared_ptr<EventEngine> engine;
    if (timeout_ns_ != kNoTimeout) {
      engine = grpc_event_engine::experimental::GetDefaultEventEngine();
      pending->SetTimer(engine->RunAfter(std::chrono::nanoseconds(timeout_ns_), [pending] {
        if (DirectCall* const call = pending->Take()) call->End(DeadlineExceeded());
      }));
    }
    // The slot waits for its outcome even when nobody wants that any more.
    link->calls->WhenDone(slot, [pending, engine, link](CallOutcome outcome) {
      if (DirectCall* const call = pending->Take()) {
        if (engine != nullptr) engine->Cancel(pending->timer());
        call->End(std::move(outcome));
      }
      link->finished();
    });
  }

  // The application has cancelled the call, from any thread. The call ends when the server
  // says so, as it would over HTTP/2, not here and now: the context must stay until
  // TryCancel(), which has called this, is over, and applications rely on that.
  void Cancel() {
    std::shared_ptr<Pending> pending;
    {
      absl::MutexLock lock(mu_);
      cancelled_ = true;
      pending = pending_;
      if (slot_ >= 0) link_->calls->Cancel(slot_, generation_);
    }
    if (pending != nullptr) EndSoon(pending);
  }

  // For a cancelled call whose server does not answer even that.
  static void EndSoon(const std::shared_ptr<Pending>& pending) {
    grpc_event_engine::experimental::GetDefaultEventEngine()->RunAfter(
        std::chrono::milliseconds(10), [pending] {
          if (DirectCall* const call = pending->Take()) call->End(Cancelled());
        });
  }

  // Ends a call that is still running; its slot is free once the server is done with it.
  void GiveUp(grpc::Status status) {
    link_->calls->Cancel(slot_, generation_);
    link_->calls->WhenDone(slot_, [link = link_](const CallOutcome&) { link->finished(); });
    End(std::move(status));
  }

  void End(CallOutcome outcome) {
    switch (outcome.kind) {
      case CallOutcome::Kind::kNotRun:
        link_->finished();
        return methods_->Proceed();
      case CallOutcome::Kind::kLost:
        status_ = grpc::Status(grpc::StatusCode::UNAVAILABLE,
                               "the server closed the connection or died while it had the call");
        break;
      case CallOutcome::Kind::kBroken:
        status_ = grpc::Status(grpc::StatusCode::UNAVAILABLE,
                               "the server broke the protocol of direct calls");
        break;
      case CallOutcome::Kind::kTooLarge:
      case CallOutcome::Kind::kResponse:
        response_bytes_ = std::move(outcome.response);
        Decode(outcome.kind == CallOutcome::Kind::kTooLarge);
        break;
    }
    link_->finished();
    methods_->Hijack();
  }

  void End(grpc::Status status) {
    status_ = std::move(status);
    methods_->Hijack();
  }

  void Decode(bool cut_off) {
    uint64_t message_bytes = 0;
    absl::StatusOr<ResponseView> decoded = ResponseView{};
    if (cut_off) {
      ResponseHead head{};
      memcpy(&head, response_bytes_.data(), std::min(sizeof(head), response_bytes_.size()));
      message_bytes = head.message_bytes;
    } else {
      decoded = DecodeResponse(response_bytes_);
      if (!decoded.ok()) {
        status_ = grpc::Status(grpc::StatusCode::INTERNAL, std::string(decoded.status().message()));
        return;
      }
      message_bytes = decoded->message.size();
    }
    response_ = *std::move(decoded);
    if (channel_.max_receive_bytes >= 0 &&
        message_bytes > static_cast<uint64_t>(channel_.max_receive_bytes)) {
      // gRPC's words.
      status_ = grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                             absl::StrCat("CLIENT: Received message larger than max (",
                                          message_bytes, " vs. ", channel_.max_receive_bytes, ")"));
      return;
    }
    status_ =
        grpc::Status(static_cast<grpc::StatusCode>(response_.code),
                     std::string(response_.status_message), std::string(response_.status_details));
    has_message_ = response_.has_message && status_.ok();
  }

  // Puts the response where the application expects it.
  void Deliver(InterceptorBatchMethods* methods) {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_RECV_INITIAL_METADATA)) {
      Insert(response_.initial_metadata, methods->GetRecvInitialMetadata());
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_RECV_MESSAGE)) {
      Message* const message = static_cast<Message*>(methods->GetRecvMessage());
      if (has_message_ && !message->ParseFromArray(response_.message.data(),
                                                   static_cast<int>(response_.message.size()))) {
        status_ = grpc::Status(grpc::StatusCode::INTERNAL, "Failed to parse the response");
        has_message_ = false;
      }
      if (!has_message_) methods->FailHijackedRecvMessage();
    }
    Insert(response_.trailing_metadata, methods->GetRecvTrailingMetadata());
    *methods->GetRecvStatus() = status_;
  }

  // The views stay valid: response_bytes_ lives as long as the call's context.
  static void Insert(const MetadataView& from,
                     std::multimap<grpc::string_ref, grpc::string_ref>* to) {
    for (const auto& [key, value] : from) {
      to->emplace(grpc::string_ref(key.data(), key.size()),
                  grpc::string_ref(value.data(), value.size()));
    }
  }

  // The texts are those of a call over HTTP/2.
  static grpc::Status Cancelled() { return grpc::Status(grpc::StatusCode::CANCELLED, "CANCELLED"); }
  static grpc::Status DeadlineExceeded() {
    return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded");
  }

  const Channel& channel_;
  const std::shared_ptr<const ClientLink> link_;
  const MessageTypes& types_;
  grpc::ClientContext* const context_;
  const char* const method_;
  std::thread::id started_by_;
  uint64_t started_in_ = 0;
  InterceptorBatchMethods* methods_ = nullptr;
  uint64_t timeout_ns_ = kNoTimeout;

  absl::Mutex mu_;  // Cancel() comes from other threads
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  std::shared_ptr<Pending> pending_ ABSL_GUARDED_BY(mu_);
  // Set under mu_; read without it by the thread that set them.
  int slot_ = -1;
  uint32_t generation_ = 0;

  grpc::Status status_;
  std::string response_bytes_;
  ResponseView response_;  // points into response_bytes_
  bool has_message_ = false;
};

class Factory final : public ClientInterceptorFactoryInterface {
 public:
  explicit Factory(Channel channel) : channel_(std::move(channel)) {}

  // Null, hence no cost, for every call that is certainly not eligible.
  Interceptor* CreateClientInterceptor(ClientRpcInfo* info) override {
    if (info->type() != ClientRpcInfo::Type::UNARY) return nullptr;
    if (info->client_context()->credentials() != nullptr) return nullptr;
    if (info->client_context()->compression_algorithm() != GRPC_COMPRESS_NONE) return nullptr;
    std::shared_ptr<const ClientLink> link = channel_.links->Current();
    if (link == nullptr) return nullptr;
    const MessageTypes* const types = FindMessageTypes(info->method());
    if (types == nullptr) return nullptr;
    return new DirectCall(channel_, std::move(link), *types, info);
  }

 private:
  const Channel channel_;
};

}  // namespace

std::unique_ptr<ClientInterceptorFactoryInterface> MakeDirectInterceptor(
    std::shared_ptr<ClientLinks> links, const SpinBudget& spin,
    const grpc::ChannelArguments& arguments) {
  Channel channel{std::move(links), spin};
  channel.max_send_bytes = IntArgument(arguments, GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1);
  channel.max_receive_bytes = IntArgument(arguments, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, 4 << 20);
  return std::make_unique<Factory>(std::move(channel));
}

}  // namespace grpc_cxl
