// SPDX-License-Identifier: Apache-2.0

// How a stream begins: which way the call goes, and what becomes of its batches until that is
// decided.

#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "grpc_cxl/calls/call_codec.h"
#include "grpc_cxl/direct/call_counters.h"
#include "grpc_cxl/direct/inline_call.h"
#include "grpc_cxl/direct/keepalive.h"
#include "grpc_cxl/direct/request_head.h"
#include "grpc_cxl/direct/slot_queue.h"
#include "grpc_cxl/direct/stream_call.h"
#include "grpc_cxl/direct/stream_status.h"

namespace grpc_cxl::internal {
namespace {

using grpc::experimental::InterceptionHookPoints;

}  // namespace

void StreamCall::Begin(Methods* methods, grpc::ClientContext& context) {
  const auto self = shared_from_this();  // the context may be gone before the end
  first_ = methods;
  is_sync_ = IsOnStackOfThisThread(methods);
  Then then;
  // Hijack() comes from another thread, and interceptors between gRPC and us may run at the same
  // time for other batches, which gRPC does not guard.
  if ((!is_sync_ && channel_.has_interceptors) || !IsPlain(context) || !Post(context, &then)) {
    {
      absl::MutexLock lock(mu_);
      decided_ = Path::kHttp2;
      observed_ = nullptr;
    }
    Do(std::move(then));
    return GoOn(Path::kHttp2);
  }
  if (is_sync_) {
    WaitUntil([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return decided_ != Path::kUndecided; },
              std::atomic<bool>(false), &then);
  }
  {
    absl::MutexLock lock(mu_);
    begins_in_place_ = false;
    Advance(&then);
  }
  Do(std::move(then));
}

bool StreamCall::Post(const grpc::ClientContext& context, Then* then) {
  RequestView view;
  view.method = method_;
  std::multimap<std::string, std::string> annotated;
  const auto* metadata = first_->GetSendInitialMetadata();
  if (CallObserver* const observer = CallObserver::Get()) {
    std::unique_ptr<ObservedCall> observed = observer->AtClient(method_, channel_.target);
    if (observed != nullptr) {
      annotated = *metadata;
      observed->Annotate(&annotated);
      metadata = &annotated;
    }
    absl::MutexLock lock(mu_);
    observed_ = std::move(observed);
  }
  if (!SetMetadata(channel_, *metadata, &view) || !SetTimeout(context, &view)) return false;
  std::string head(RequestHeadBytes(view), '\0');
  EncodeRequestHead(view, 0, absl::MakeSpan(head));
  if (head.size() > kMostStreamHeadBytes || !Open(head, view.priority, then)) return false;
  if (HasKeepalive(channel_)) {
    WatchServer(channel_, route_, [weak = weak_from_this()] {
      const auto self = weak.lock();
      return self == nullptr || self->over();
    });
  }
  if (view.timeout_ns == kNoTimeout) return true;
  const TaskHandle timer = EndAfter(std::chrono::nanoseconds(view.timeout_ns), StreamTooLate());
  absl::MutexLock lock(mu_);
  timer_ = timer;
  return true;
}

bool StreamCall::Open(const std::string& head, Priority priority, Then* then) {
  const bool has_message =
      first_->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_MESSAGE);
  if (has_message) {
    // Null: the completion-queue API has serialised it.
    const void* const message = first_->GetSendMessage();
    if (message != nullptr && !IsMessageOf(message, *types_.request)) return false;
  }
  absl::MutexLock lock(mu_);
  if (cancelled_) return false;
  if (route_->queue->IsFull(priority)) {
    result_.EndWithoutRoom(route_->queue->PushbackMs());
    return true;
  }
  stream_ = route_->streams->Open(shared_from_this());
  std::optional<OutgoingMessage> message;
  if (stream_ != nullptr && has_message) {
    message.emplace(first_, *types_.request, max_send_bytes_, route_->blocks);
    if (message->too_large() > 0) {  // gRPC reports that
      stream_->Discard();
      stream_ = nullptr;
    }
  }
  if (stream_ == nullptr) {
    then->idle = true;  // a slot may have been held for a moment
    return false;
  }
  stream_->LimitMessages(max_receive_bytes_);
  news_at_first_ = stream_->news();
  begins_in_place_ = is_sync_;
  UpdateWaiter();
  posted_ = true;
  route_->counters->streams.streams.Add();
  if (observed_ != nullptr) observed_->BeganStream();
  const absl::Span<const char> pieces[] = {head};
  absl::Status written = stream_->Write(StreamRecord::kHead, pieces);
  if (!written.ok()) Break(std::move(written), then);
  if (message.has_value()) Write(*message, then);
  if (first_->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_CLOSE)) {
    stream_->Write(StreamRecord::kEnd, {}).IgnoreError();  // the next Flush() says it
  }
  stream_->Post(priority);
  return true;
}

void StreamCall::Decide(Then* then) {
  if (decided_ != Path::kUndecided) return;
  if (result_.ended() || taken_) {
    decided_ = Path::kDirect;
  } else if (stream_ == nullptr) {  // refused, or gone with its connection
    decided_ = Path::kHttp2;
    then->over = std::move(observed_);
  }
  then->decided = decided_;
}

void StreamCall::GoOn(Path path) {
  if (path == Path::kDirect) {
    CallCounters::OfProcess().direct_streams.Add();
    {
      absl::MutexLock lock(mu_);
      hijacks_ = std::this_thread::get_id();
    }
    first_->Hijack();  // calls Intercept()
  } else {
    CallCounters::OfProcess().http2_streams.Add();
    first_->Proceed();
  }
  for (;;) {
    std::vector<Methods*> held;
    {
      absl::MutexLock lock(mu_);
      hijacks_ = std::thread::id();
      if (held_.empty()) {
        path_.store(path, std::memory_order_release);  // matched by the load in Intercept()
        return;
      }
      held.swap(held_);
    }
    for (Methods* const methods : held) {
      path == Path::kDirect ? Run(methods, /*may_wait=*/false) : methods->Proceed();
    }
  }
}

void StreamCall::Intercept(Methods* methods) {
  bool may_wait = is_sync_;
  Path path = path_.load(std::memory_order_acquire);  // matched by the store in GoOn()
  if (path == Path::kUndecided) {
    absl::MutexLock lock(mu_);
    path = path_.load(std::memory_order_relaxed);
    if (path == Path::kUndecided && hijacks_ == std::this_thread::get_id()) {
      path = Path::kDirect;  // the first batch
      may_wait = false;
    } else if (path == Path::kUndecided) {
      held_.push_back(methods);
      return;
    }
  }
  path == Path::kDirect ? Run(methods, may_wait) : methods->Proceed();
}

void StreamCall::Run(Methods* methods, bool may_wait) {
  const auto has = [methods](InterceptionHookPoints point) {
    return methods->QueryInterceptionHookPoint(point);
  };
  if (has(InterceptionHookPoints::PRE_SEND_MESSAGE) ||
      has(InterceptionHookPoints::PRE_SEND_CLOSE)) {
    Send(methods, may_wait);
  } else if (has(InterceptionHookPoints::PRE_RECV_INITIAL_METADATA) ||
             has(InterceptionHookPoints::PRE_RECV_MESSAGE) ||
             has(InterceptionHookPoints::PRE_RECV_STATUS)) {
    Receive(methods, may_wait);
  } else {
    methods->Proceed();
  }
}

}  // namespace grpc_cxl::internal
