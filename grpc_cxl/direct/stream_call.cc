// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/stream_call.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/blocks/block_pool.h"
#include "grpc_cxl/calls/call_codec.h"
#include "grpc_cxl/direct/detached_call.h"
#include "grpc_cxl/direct/inline_call.h"
#include "grpc_cxl/direct/keepalive.h"
#include "grpc_cxl/direct/request_head.h"
#include "grpc_cxl/direct/stream_status.h"
#include "grpc_cxl/direct/sync_caller_hint.h"
#include "grpc_cxl/direct/thread_spin.h"
#include "grpc_cxl/doorbell/yield.h"

namespace grpc_cxl::internal {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc_event_engine::experimental::EventEngine;
using grpc_event_engine::experimental::GetDefaultEventEngine;

}  // namespace

StreamCall::StreamCall(const DirectChannel& channel, std::shared_ptr<const CallRoute> route,
                       const MessageTypes& types, const char* method)
    : channel_(channel),
      route_(std::move(route)),
      types_(types),
      method_(method),
      max_send_bytes_(channel.max_send_bytes),
      max_receive_bytes_(channel.max_receive_bytes < 0
                             ? UINT64_MAX
                             : static_cast<uint64_t>(channel.max_receive_bytes)),
      result_(channel.max_metadata_bytes) {}

StreamCall::TaskHandle StreamCall::EndAfter(std::chrono::nanoseconds time, grpc::Status status) {
  return GetDefaultEventEngine()->RunAfter(time,
                                           [weak = weak_from_this(), status = std::move(status)] {
                                             const auto self = weak.lock();
                                             if (self == nullptr) return;
                                             Then then;
                                             {
                                               absl::MutexLock lock(self->mu_);
                                               self->EndHere(status);
                                               self->Advance(&then);
                                             }
                                             self->Do(std::move(then));
                                           });
}

void StreamCall::Write(const OutgoingMessage& message, Then* then) {
  route_->counters->streams.messages_out.Add();
  if (observed_ != nullptr) observed_->Sent(message.bytes());
  absl::Status written = stream_->Write(message.kind(), message.pieces());
  if (!confirmed_ && message.lent().bytes > 0) untaken_.push_back(message.lent());
  if (!written.ok()) Break(std::move(written), then);
}

void StreamCall::Send(Methods* methods, bool may_wait) {
  const auto self = shared_from_this();
  std::optional<OutgoingMessage> message;
  if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_MESSAGE)) {
    message.emplace(methods, *types_.request, max_send_bytes_, route_->blocks);
  }
  Then then;
  bool written = false;
  {
    absl::MutexLock lock(mu_);
    if (message.has_value() && message->too_large() > 0) {
      EndHere(StreamMessageTooLarge("Sent", message->too_large(), max_send_bytes_));
    }
    const bool goes_on = stream_ != nullptr && !broken_ && !result_.ended();
    if (!goes_on && message.has_value() && message->lent().bytes > 0) {
      route_->blocks.pool->Revoke(message->lent());
    }
    if (goes_on) {
      if (message.has_value()) Write(*message, &then);
      if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_CLOSE)) {
        absl::Status status = stream_->Write(StreamRecord::kEnd, {});
        if (!status.ok()) Break(std::move(status), &then);
      }
      written = stream_->ready() && !broken_;
    }
  }
  Do(std::move(then));
  if (written) return methods->Proceed();
  Operations one;
  Operation& operation = one.emplace_back(methods);
  operation.send = true;
  operation.message_out = message.has_value();
  Start(std::move(one), may_wait);
}

void StreamCall::Receive(Methods* methods, bool may_wait) {
  Operations one;
  Operation& operation = one.emplace_back(methods);
  operation.initial_metadata =
      methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_RECV_INITIAL_METADATA);
  operation.message = methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_RECV_MESSAGE);
  operation.status = methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_RECV_STATUS);
  Start(std::move(one), may_wait);
}

void StreamCall::Start(Operations one, bool may_wait) {
  const auto self = shared_from_this();  // Proceed() may end the context
  const auto operation = one.begin();
  Then then;
  if (!may_wait) {
    {
      absl::MutexLock lock(mu_);
      operations_.splice(operations_.end(), one);
      Advance(&then);
    }
    return Do(std::move(then));
  }
  operation->in_place = true;
  Methods* const methods = operation->methods;
  {
    absl::MutexLock lock(mu_);
    operations_.splice(operations_.end(), one);
  }
  WaitUntil([&operation] { return operation->done.load(std::memory_order_relaxed); },
            operation->done, &then);
  bool done;
  {
    absl::MutexLock lock(mu_);
    done = operation->done.load(std::memory_order_relaxed);
    if (done) {
      operations_.erase(operation);
      if (UpdateWaiter()) Advance(&then);
    } else {
      operation->in_place = false;  // the polling thread takes over
      then.idle = true;             // maybe for long: memory can be given back
      Advance(&then);
    }
  }
  Do(std::move(then));
  if (done) methods->Proceed();
}

bool StreamCall::WaitUntil(absl::FunctionRef<bool()> done, const std::atomic<bool>& flag,
                           Then* then) {
  std::shared_ptr<ClientStream> stream;
  uint32_t seen = 0;
  const auto look = [&](int parks) {
    absl::MutexLock lock(mu_);
    parked_ += parks;
    stream = stream_;
    if (stream != nullptr) seen = stream->news();  // before the look
    Advance(then);
    return done() || stream_ == nullptr;
  };
  if (look(0)) return true;
  SpinBudget& spin = ThreadSpin(channel_);
  const int64_t start = SteadyNs();
  const int64_t spin_ns = std::min<int64_t>(spin.nanoseconds(), kPatienceNs);
  int64_t now = start;
  PastWait past;
  bool is_done = false;
  while (now - start < spin_ns) {
    // relaxed: look() takes the lock.
    if (stream->news() != seen || flag.load(std::memory_order_relaxed)) is_done = look(0);
    if (is_done) break;
    const Yielded yielded = Yield(now);
    now = yielded.now_ns;
    past.away_ns += yielded.away_ns;
    past.unseen_ns = yielded.away_ns;
  }
  past.spun_ns = now - start - past.away_ns;
  if (!is_done) {
    past.unseen_ns = 0;
    is_done = look(+1);
    for (int64_t left; !is_done && (left = start + kPatienceNs - SteadyNs()) > 0;) {
      past.slept = true;
      const int64_t from = SteadyNs();
      stream->Park(seen, left);
      now = SteadyNs();
      const int64_t woken = stream->WokenAt();
      past.woken_ns = woken >= from && woken <= now ? woken - start : -1;
      is_done = look(0);
    }
    is_done = look(-1);
    now = SteadyNs();
  }
  past.total_ns = now - start;
  if (!past.slept) past.spun_ns = past.total_ns - past.away_ns;
  spin.Waited(past);
  return is_done;
}

void StreamCall::Do(Then then) {
  if (then.timer != TaskHandle::kInvalid) GetDefaultEventEngine()->Cancel(then.timer);
  if (!then.broken.ok()) route_->owner->End(std::move(then.broken));
  if (then.idle) route_->owner->UserIdle();
  if (then.over != nullptr && then.status.has_value()) {
    then.over->Ended(static_cast<uint32_t>(then.status->error_code()), then.status->error_message(),
                     0);
  } else if (then.over != nullptr) {
    then.over->NotTaken();
  }
  if (then.decided != Path::kUndecided) GoOn(then.decided);
  for (Methods* const methods : then.proceed) methods->Proceed();
}

void StreamCall::Cancel() {
  {
    absl::MutexLock lock(mu_);
    cancelled_ = true;
    if (stream_ == nullptr || result_.ended()) return;
    result_.DropMessages();
    stream_->Cancel();
  }
  // Not in here: see DirectCall::Cancel().
  EndAfter(kCancelPatience, StreamCancelled());
}

void StreamCall::Abandon() {
  Then then;
  {
    absl::MutexLock lock(mu_);
    // gRPC has ended the call. (`path_` may not be stored yet: its batches are done before that.)
    if (decided_ != Path::kDirect) return;
    EndHere(StreamCancelled());
    Advance(&then);
  }
  Do(std::move(then));
}

}  // namespace grpc_cxl::internal
