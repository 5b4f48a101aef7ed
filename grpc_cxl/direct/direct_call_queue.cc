// SPDX-License-Identifier: Apache-2.0

// What becomes of a direct call that its server does not take, is too slow to take
// (stuck_replica.h), or has no slot for: another replica, or the queue for a slot.

#include <grpc/event_engine/event_engine.h>

#include <cstddef>
#include <memory>
#include <utility>

#include "grpc_cxl/direct/direct_call.h"
#include "grpc_cxl/direct/request_head.h"
#include "grpc_cxl/direct/slot_queue.h"
#include "grpc_cxl/direct/stuck_replica.h"

namespace grpc_cxl::internal {
namespace {

// How many replicas more are given a call that none has taken.
constexpr int kMostMoves = 3;

}  // namespace

DirectCall::Posted DirectCall::PostAgain(int slot) {
  const auto* const request =
      static_cast<const google::protobuf::Message*>(methods_->GetSendMessage());
  const auto* const metadata = methods_->GetSendInitialMetadata();
  ObservedCall::Metadata annotated;
  RequestView view;
  const size_t message_bytes = request == nullptr ? 0 : request->ByteSizeLong();
  if (request == nullptr || metadata == nullptr ||
      !MakeHead(Annotate(*metadata, &annotated), message_bytes, &view)) {
    if (slot >= 0) link_->calls->Release(slot);
    return Posted::kNo;
  }
  return Post(*request, message_bytes, std::move(view), slot);
}

DirectCall::Posted DirectCall::PostElsewhere(Posted otherwise) {
  Posted posted = otherwise;
  std::shared_ptr<const CallRoute> has_room;  // where the call may wait
  if (posted == Posted::kNoSlot && !link_->queue->IsFull(priority_)) has_room = link_;
  while (link_->score != nullptr && moves_ < kMostMoves) {
    ++moves_;
    std::shared_ptr<const CallRoute> other = channel_.routes->Choose(&under_way_, link_.get());
    if (other == nullptr) break;
    {
      absl::MutexLock lock(mu_);
      link_ = std::move(other);
    }
    posted = PostAgain();
    if (posted != Posted::kNoSlot) break;
    if (has_room == nullptr && !link_->queue->IsFull(priority_)) has_room = link_;
  }
  if (posted == Posted::kNoSlot && has_room != nullptr) {
    absl::MutexLock lock(mu_);
    link_ = std::move(has_room);
  }
  return posted;
}

// On the stream path gRPC would begin it: TryCancel() tells gRPC's core after it has told us.
bool DirectCall::EndIfCancelled() {
  const auto detached = std::make_shared<DetachedCall>(this);
  {
    absl::MutexLock lock(mu_);
    if (!cancelled_) return false;
    detached_ = detached;
    slot_ = -1;
  }
  EndSoon(detached);
  return true;
}

bool DirectCall::EndIfLate() {
  RequestView view;
  if (SetTimeout(*context_, &view)) return false;
  End(grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded"));
  return true;
}

bool DirectCall::GoElsewhere() {
  if (EndIfCancelled() || EndIfLate()) return true;
  bool waits_elsewhere;
  {
    absl::MutexLock lock(mu_);
    waits_elsewhere = detached_ != nullptr;
    slot_ = -1;
    lent_ = {};
  }
  switch (PostElsewhere(Posted::kNo)) {
    case Posted::kNo:
      observed_ = nullptr;
      return false;
    case Posted::kNoSlot:
      WaitForSlot();
      return true;
    case Posted::kYes:
      waits_elsewhere ? WaitElsewhere() : WaitHere();
      return true;
  }
  return false;
}

void DirectCall::WaitForSlot() {
  const std::shared_ptr<const CallRoute> link = link_;
  const Priority priority = priority_;
  WatchReplica(channel_.routes, link);
  const uint64_t ticket = link->queue->NewTicket();
  const auto detached = std::make_shared<DetachedCall>(this);
  const Deadline deadline{timeout_ns_, link, slot_, generation_};
  bool cancelled;
  {
    absl::MutexLock lock(mu_);
    cancelled = cancelled_;
    detached_ = detached;
    ticket_ = ticket;
  }
  // As in WaitElsewhere().
  if (cancelled) EndSoon(detached);
  QueueUp(detached, *link, ticket, priority, SetDeadline(detached, deadline));
}

void DirectCall::QueueUp(
    const std::shared_ptr<DetachedCall>& detached, const CallRoute& link, uint64_t ticket,
    Priority priority, const std::shared_ptr<grpc_event_engine::experimental::EventEngine>& timer) {
  const auto take = [detached, timer]() -> DirectCall* {
    DirectCall* const call = detached->Take();
    if (call != nullptr && timer != nullptr) timer->Cancel(detached->timer());
    return call;
  };
  const SlotQueue::Added added = link.queue->Add(ticket, priority, [take](int slot) {
    DirectCall* const call = take();
    if (call != nullptr) call->OnSlot(slot);
    return call != nullptr;
  });
  if (added == SlotQueue::Added::kYes) return;
  DirectCall* const call = take();
  if (call == nullptr) return;
  if (added == SlotQueue::Added::kClosed) return call->OnSlot(-1);
  call->EndWithoutRoom();
}

void DirectCall::OnSlot(int slot) {
  ticket_ = 0;
  if (slot < 0) return End(CallOutcome{CallOutcome::Kind::kNotRun, {}});
  if (PostAgain(slot) == Posted::kYes) return WaitElsewhere();
  if (EndIfCancelled() || EndIfLate()) return;
  observed_ = nullptr;
  methods_->Proceed();
}

void DirectCall::EndWithoutRoom() {
  response_.SetNoRoom(link_->queue->PushbackMs());
  Observe(response_.status(), 0);
  methods_->Hijack();
}

}  // namespace grpc_cxl::internal
