// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/direct_call.h"

#include <grpc/event_engine/event_engine.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <chrono>
#include <climits>
#include <optional>
#include <utility>

#include "absl/types/span.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/blocks/block_pool.h"
#include "grpc_cxl/direct/call_counters.h"
#include "grpc_cxl/direct/keepalive.h"
#include "grpc_cxl/direct/request_head.h"
#include "grpc_cxl/direct/stuck_replica.h"
#include "grpc_cxl/direct/sync_caller_hint.h"
#include "grpc_cxl/direct/thread_spin.h"
#include "grpc_cxl/payload/block_slices.h"
#include "grpc_cxl/polling/callers_queue.h"
#include "grpc_cxl/polling/poller.h"

namespace grpc_cxl::internal {
namespace {

using google::protobuf::Message;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::InterceptorBatchMethods;
using grpc_event_engine::experimental::EventEngine;
using grpc_event_engine::experimental::GetDefaultEventEngine;

// Most bytes of a response's status, and of entries' heads in its metadata.
constexpr size_t kHeadLimit = 64 << 10;

// The texts are those of a call over HTTP/2.
grpc::Status Cancelled() { return grpc::Status(grpc::StatusCode::CANCELLED, "CANCELLED"); }
grpc::Status DeadlineExceeded() {
  return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded");
}

// For a call whose outcome is not wanted: returns the response's block to the server, and takes
// the request's block back if the server did not take the call.
void GiveBlocksBack(const CallRoute& link, BlockDescriptor lent, const CallOutcome& outcome) {
  if (outcome.kind == CallOutcome::Kind::kNotRun && lent.bytes > 0) link.blocks.pool->Revoke(lent);
  if (outcome.kind != CallOutcome::Kind::kResponse) return;
  const absl::StatusOr<ResponseView> response = DecodeResponse(outcome.response);
  if (!response.ok() || response->block.bytes == 0) return;
  if (absl::Status returned = ReturnUnread(link.blocks, response->block); !returned.ok()) {
    link.owner->End(returned);
  }
}

void CountLatency(const CallRoute& link, const CallOutcome& outcome, int64_t posted_ns,
                  uint32_t under_way) {
  if (outcome.kind != CallOutcome::Kind::kResponse) return;
  const int64_t now = SteadyNs();
  link.counters->calls.latency.Add(now - posted_ns);
  if (link.score != nullptr) link.score->Answered(now - posted_ns, under_way, now);
}

}  // namespace

DirectCall::DirectCall(const DirectChannel& channel, std::shared_ptr<const CallRoute> link,
                       uint32_t under_way, const MessageTypes& types,
                       grpc::experimental::ClientRpcInfo* info)
    : channel_(channel),
      link_(std::move(link)),
      types_(types),
      context_(info->client_context()),
      method_(info->method()),
      under_way_(under_way) {}

void DirectCall::Intercept(InterceptorBatchMethods* methods) {
  if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_CANCEL)) {
    Cancel();
  } else if (methods->QueryInterceptionHookPoint(
                 InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
    if (Begin(methods)) return;  // goes on in End()
  } else if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_RECV_STATUS)) {
    response_.Deliver(methods);
  } else if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_STATUS)) {
    SetSyncCallerHint(method_, std::this_thread::get_id() == started_by_ &&
                                   Poller::CurrentCallback() == started_in_);
  }
  methods->Proceed();
}

bool DirectCall::Begin(InterceptorBatchMethods* methods) {
  started_by_ = std::this_thread::get_id();
  started_in_ = Poller::CurrentCallback();
  // The completion-queue API names the response in a second batch, when the call has long begun.
  if (!methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_MESSAGE) ||
      !IsMessageOf(methods->GetSendMessage(), *types_.request) ||
      !IsMessageOf(methods->GetRecvMessage(), *types_.response) || !IsPlain(*context_)) {
    CallCounters::OfProcess().not_eligible.Add();
    return false;
  }
  const Message& request = *static_cast<const Message*>(methods->GetSendMessage());
  const size_t message_bytes = request.ByteSizeLong();
  ObservedCall::Metadata annotated;
  RequestView view;
  if (!MakeHead(Annotate(*methods->GetSendInitialMetadata(), &annotated), message_bytes, &view)) {
    CallCounters::OfProcess().not_eligible.Add();
    observed_ = nullptr;
    return false;
  }
  methods_ = methods;
  if (link_->own != nullptr && BeginInline(request, message_bytes, view)) return true;
  Posted posted = Post(request, message_bytes, std::move(view));
  if (posted == Posted::kNoSlot) posted = PostElsewhere(Posted::kNoSlot);
  if (posted == Posted::kNo) {
    observed_ = nullptr;
    return false;
  }
  CallCounters::OfProcess().direct.Add();
  if (posted == Posted::kNoSlot) {
    WaitForSlot();
  } else if (TakeSyncCallerHint(method_)) {
    WaitHere();
  } else {
    WaitElsewhere();
  }
  return true;
}

const ObservedCall::Metadata& DirectCall::Annotate(const ObservedCall::Metadata& metadata,
                                                   ObservedCall::Metadata* annotated) {
  CallObserver* const observer = CallObserver::Get();
  if (observer != nullptr) observed_ = observer->AtClient(method_, channel_.target);
  if (observed_ == nullptr) return metadata;
  *annotated = metadata;
  observed_->Annotate(annotated);
  return *annotated;
}

bool DirectCall::MakeHead(const std::multimap<std::string, std::string>& metadata,
                          size_t message_bytes, RequestView* view) const {
  view->method = method_;
  if (!SetMetadata(channel_, metadata, view)) return false;
  // gRPC reports both itself.
  return SetTimeout(*context_, view) &&
         (channel_.max_send_bytes < 0 ||
          message_bytes <= static_cast<size_t>(channel_.max_send_bytes));
}

bool DirectCall::BeginInline(const Message& request, size_t message_bytes,
                             const RequestView& view) {
  const bool waits = IsOnStackOfThisThread(methods_);
  // Elsewhere gRPC's threads would run the closures.
  const bool keeps_closures = Poller::Current() != nullptr || CallersQueue::Current() != nullptr;
  if (waits ? !channel_.inline_calls : !keeps_closures) return false;
  if (message_bytes > INT_MAX) return false;
  grpc::Slice slice(message_bytes);
  auto* const begin = const_cast<uint8_t*>(slice.begin());
  // Otherwise another thread changes the message; gRPC reports that.
  if (request.SerializeWithCachedSizesToArray(begin) != begin + message_bytes) return false;
  auto made = std::make_unique<InlineCall>(link_, channel_, &response_, under_way_);
  InlineCall* const call = made.get();
  {
    absl::MutexLock lock(mu_);
    if (cancelled_) return false;
    if (call->Enter(view.priority)) inline_ = std::move(made);
  }
  if (made != nullptr) {
    link_->owner->UserIdle();
    return false;
  }
  CallCounters::OfProcess().direct.Add();
  CallCounters::OfProcess().in_process.Add();
  if (observed_ != nullptr) observed_->Began(message_bytes);
  grpc::ByteBuffer message(&slice, 1);
  const auto end = [this] {
    Observe(response_.status(), response_.message_bytes());
    methods_->Hijack();
  };
  if (waits) {
    call->Run(view, std::move(message), [this]() -> SpinBudget& { return ThreadSpin(channel_); });
    end();
  } else {
    call->Start(view, std::move(message), end);
  }
  return true;
}

DirectCall::Posted DirectCall::Post(const Message& request, size_t message_bytes, RequestView view,
                                    int slot) {
  priority_ = view.priority;
  if (slot < 0) slot = link_->queue->Acquire(priority_);
  const Posted posted = PostIn(slot, request, message_bytes, &view);
  // A slot may have been held for a moment.
  if (posted != Posted::kYes) link_->owner->UserIdle();
  return posted;
}

DirectCall::Posted DirectCall::PostIn(int slot, const Message& request, size_t message_bytes,
                                      RequestView* view) {
  absl::MutexLock lock(mu_);
  if (cancelled_) {
    if (slot >= 0) link_->calls->Release(slot);
    return Posted::kNo;
  }
  timeout_ns_ = view->timeout_ns;
  const Posted placed = Place(request, message_bytes, slot, view);
  if (placed != Posted::kYes) return placed;
  const size_t limit = channel_.max_receive_bytes < 0
                           ? SIZE_MAX
                           : static_cast<size_t>(channel_.max_receive_bytes) + kHeadLimit +
                                 2 * channel_.max_metadata_bytes;
  posted_ns_ = SteadyNs();  // before: the server may run while this thread still wakes it
  generation_ = link_->calls->Post(slot_, request_bytes_, limit, view->priority);
  if (observed_ != nullptr) observed_->Began(message_bytes);
  return Posted::kYes;
}

DirectCall::Posted DirectCall::Place(const Message& request, size_t message_bytes, int slot,
                                     RequestView* view) {
  ClientCallAreas& calls = *link_->calls;
  const size_t head_bytes = RequestHeadBytes(*view);
  const bool inside =
      message_bytes < kBlockThreshold && head_bytes + message_bytes <= calls.buffer_bytes();
  if (head_bytes > calls.buffer_bytes()) {
    CallCounters::OfProcess().too_large.Add();
    if (slot >= 0) calls.Release(slot);
    return Posted::kNo;
  }
  if (slot < 0) {
    if (link_->queue->Queues()) return Posted::kNoSlot;
    CallCounters::OfProcess().no_slot.Add();
    return Posted::kNo;
  }
  if (!inside) {
    const std::optional<BlockDescriptor> lent =
        LendMessage(link_->blocks, request, message_bytes, view->priority);
    if (!lent.has_value()) {
      CallCounters::OfProcess().too_large.Add();
      calls.Release(slot);
      return Posted::kNo;
    }
    view->block = lent_ = *lent;
  }
  request_bytes_ = head_bytes + (inside ? message_bytes : 0);
  const absl::Span<char> buffer = calls.RequestBuffer(slot).subspan(0, request_bytes_);
  EncodeRequestHead(*view, request_bytes_ - head_bytes, buffer.subspan(0, head_bytes));
  auto* const message = reinterpret_cast<uint8_t*>(buffer.data() + head_bytes);
  if (inside && request.SerializeWithCachedSizesToArray(message) != message + message_bytes) {
    calls.Release(slot);  // another thread changes the message; gRPC reports that
    return Posted::kNo;
  }
  slot_ = slot;
  return Posted::kYes;
}

void DirectCall::WaitHere() {
  SpinBudget& spin = ThreadSpin(channel_);
  const bool deadline_first = timeout_ns_ < static_cast<uint64_t>(kPatienceNs);
  CallOutcome outcome;
  PastWait past;
  const ClientCalls::Waited waited = link_->calls->Wait(
      slot_, spin.nanoseconds(), deadline_first ? static_cast<int64_t>(timeout_ns_) : kPatienceNs,
      &outcome, &past);
  spin.Waited(past);
  switch (waited) {
    case ClientCalls::Waited::kDone:
      CountLatency(*link_, outcome, posted_ns_, under_way_);
      return End(std::move(outcome));
    case ClientCalls::Waited::kStillRunning:
      return deadline_first ? GiveUp(DeadlineExceeded()) : WaitElsewhere();
  }
}

void DirectCall::WaitElsewhere() {
  auto detached = std::make_shared<DetachedCall>(this);
  WatchReplica(channel_.routes, link_);
  if (HasKeepalive(channel_)) WatchServer(channel_, link_, [detached] { return detached->over(); });
  const std::shared_ptr<const CallRoute> link = link_;
  const int64_t posted_ns = posted_ns_;
  const int slot = slot_;
  const BlockDescriptor lent = lent_;
  const uint32_t under_way = under_way_;
  const Deadline deadline{timeout_ns_, link, slot, generation_};
  bool cancelled;
  {
    absl::MutexLock lock(mu_);
    cancelled = cancelled_;
    detached_ = detached;
  }
  // From here on a cancellation or a timer may end the call and delete this object.
  if (cancelled) EndSoon(detached);
  const std::shared_ptr<EventEngine> engine = SetDeadline(detached, deadline);
  // The slot waits for its outcome even after the deadline.
  link->calls->WhenDone(slot,
                        [detached, engine, link, lent, posted_ns, under_way](CallOutcome outcome) {
                          if (DirectCall* const call = detached->Take()) {
                            CountLatency(*link, outcome, posted_ns, under_way);
                            if (engine != nullptr) engine->Cancel(detached->timer());
                            call->End(std::move(outcome));
                          } else {
                            GiveBlocksBack(*link, lent, outcome);
                          }
                          link->CallOver();
                        });
}

std::shared_ptr<EventEngine> DirectCall::SetDeadline(const std::shared_ptr<DetachedCall>& detached,
                                                     const Deadline& deadline) {
  if (deadline.timeout_ns == kNoTimeout) return nullptr;
  std::shared_ptr<EventEngine> engine = GetDefaultEventEngine();
  const auto on_deadline = [detached, deadline] {
    DirectCall* const call = detached->Take();
    if (call == nullptr) return;
    if (deadline.slot >= 0) deadline.link->calls->Cancel(deadline.slot, deadline.generation);
    call->End(DeadlineExceeded());
  };
  detached->SetTimer(engine->RunAfter(std::chrono::nanoseconds(deadline.timeout_ns), on_deadline));
  return engine;
}

// The call does not end in here: applications may destroy the context once the call has ended,
// and TryCancel(), which has called this, still uses it.
void DirectCall::Cancel() {
  std::shared_ptr<DetachedCall> detached;
  {
    absl::MutexLock lock(mu_);
    cancelled_ = true;
    if (inline_ != nullptr) inline_->CancelSoon();
    detached = detached_;
    if (slot_ >= 0) link_->calls->Cancel(slot_, generation_);
  }
  if (detached != nullptr) EndSoon(detached);
}

void DirectCall::EndSoon(const std::shared_ptr<DetachedCall>& detached) {
  GetDefaultEventEngine()->RunAfter(kCancelPatience, [detached] {
    if (DirectCall* const call = detached->Take()) call->End(Cancelled());
  });
}

void DirectCall::GiveUp(grpc::Status status) {
  link_->calls->Cancel(slot_, generation_);
  link_->calls->WhenDone(slot_, [link = link_, lent = lent_](const CallOutcome& outcome) {
    GiveBlocksBack(*link, lent, outcome);
    link->CallOver();
  });
  End(std::move(status));
}

void DirectCall::End(CallOutcome outcome) {
  const bool not_run = outcome.kind == CallOutcome::Kind::kNotRun;
  if (not_run) {
    GiveBlocksBack(*link_, lent_, outcome);
  } else {
    response_.Set(std::move(outcome), *link_, channel_);
    Observe(response_.status(), response_.message_bytes());
  }
  link_->CallOver();
  if (not_run) {
    CallCounters::OfProcess().not_taken.Add();
    link_->counters->not_taken.Add();
    if (observed_ != nullptr) observed_->NotTaken();
    observed_ = nullptr;
    if (GoElsewhere()) return;  // it may be over, and this deleted
    methods_->Proceed();
  } else {
    methods_->Hijack();
  }
}

void DirectCall::Observe(const grpc::Status& status, size_t response_bytes) {
  const auto code = static_cast<uint32_t>(status.error_code());
  if (inline_ == nullptr) link_->counters->calls.Ended(code);  // as at the server's end
  if (observed_ == nullptr) return;
  if (inline_ == nullptr && slot_ < 0) observed_->Began(0);  // no server was told
  observed_->Ended(code, status.error_message(), response_bytes);
}

void DirectCall::End(grpc::Status status) {
  if (ticket_ != 0) link_->queue->Remove(ticket_);
  Observe(status, 0);
  response_.Set(std::move(status));
  methods_->Hijack();
}

}  // namespace grpc_cxl::internal
