// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/inline_call.h"

#include <grpc/event_engine/event_engine.h>
#include <pthread.h>

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/direct/call_place.h"
#include "grpc_cxl/direct/detached_call.h"
#include "grpc_cxl/direct/dispatcher.h"
#include "grpc_cxl/doorbell/yield.h"
#include "grpc_cxl/polling/callers_queue.h"

namespace grpc_cxl::internal {
namespace {

void RunElsewhere(CallersQueue::Closure closure) {
  grpc_event_engine::experimental::GetDefaultEventEngine()->Run(std::move(closure));
}

struct Stack {
  const char* lowest = nullptr;
  const char* end = nullptr;  // where it began to grow

  Stack() {
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
    void* begin;
    size_t size;
    if (pthread_attr_getstack(&attributes, &begin, &size) == 0) {
      lowest = static_cast<char*>(begin);
      end = lowest + size;
    }
    pthread_attr_destroy(&attributes);
  }
};

// The end of a call, for the thread that waits for it.
struct Over {
  absl::Notification notified;
  int64_t at_ns = 0;  // set before

  void Await(SpinBudget& spin) {
    if (notified.HasBeenNotified()) return;
    PastWait past;
    const int64_t start = SteadyNs();
    int64_t now = start;
    while (!notified.HasBeenNotified() && now - start < spin.nanoseconds()) {
      const Yielded yielded = Yield(now);
      now = yielded.now_ns;
      past.away_ns += yielded.away_ns;
      past.unseen_ns = yielded.away_ns;
    }
    past.spun_ns = now - start - past.away_ns;
    if (!notified.HasBeenNotified()) {
      past.slept = true;
      past.unseen_ns = 0;
      notified.WaitForNotification();
      past.woken_ns = at_ns - start;
      now = SteadyNs();
    }
    past.total_ns = now - start;
    spin.Waited(past);
  }
};

}  // namespace

bool IsOnStackOfThisThread(const void* object) {
  thread_local const Stack stack;
  const char* const here = static_cast<char*>(__builtin_frame_address(0));
  const char* const there = static_cast<const char*>(object);
  return stack.lowest <= here && here < there && there < stack.end;
}

bool InlineCall::Enter(Priority priority) {
  server_ = route_->own->Get();
  if (server_ == nullptr || !route_->gate->Enter()) return false;
  begun_ = server_->BeginInline(this, priority);
  if (begun_.handler == nullptr) route_->gate->Leave();
  return begun_.handler != nullptr;
}

void InlineCall::Leave() {
  const std::shared_ptr<ServerLinkUser> server = server_;  // this may be gone below
  server->EndInline(this, &begun_);
  route_->gate->Leave();
  route_->owner->UserIdle();
  std::exchange(on_end_, nullptr)();
  server->BeginWaiting();
}

void InlineCall::Start(const RequestView& request, grpc::ByteBuffer message,
                       std::function<void()> on_end) {
  began_ns_ = SteadyNs();
  on_end_ = std::move(on_end);
  auto& dispatcher = static_cast<Dispatcher&>(*begun_.handler);  // there is no other handler
  if (const std::string why = dispatcher.Refusal(request); !why.empty()) {
    response_->Set(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, why));
    return Leave();
  }
  const absl::Status prepared =
      dispatcher.Prepare(request, server_->peer(), context_.get(), &observed_);
  if (!prepared.ok()) context_->TryCancel();  // cannot be: the metadata were checked
  if (begun_.place != nullptr) context_->AddMetadata(CallPlace::kKey, begun_.place->name());
  if (observed_ != nullptr) observed_->Began(message.Length());
  message_.Swap(&message);
  dispatcher.Call(request.method, context_.get(), &message_, &reply_,
                  [this](const grpc::Status& status) { End(status); });
}

void InlineCall::End(const grpc::Status& status) {
  const int64_t now_ns = SteadyNs();
  if (route_->score != nullptr) route_->score->Answered(now_ns - began_ns_, under_way_, now_ns);
  if (observed_ != nullptr) {
    observed_->Ended(static_cast<uint32_t>(status.error_code()), status.error_message(),
                     status.ok() ? reply_.Length() : 0);
  }
  response_->Set(status, *context_, std::move(reply_), channel_);
  Leave();
}

void InlineCall::CancelSoon() {
  grpc_event_engine::experimental::GetDefaultEventEngine()->RunAfter(
      kCancelPatience, [context = context_] { context->TryCancel(); });
}

void InlineCall::Run(const RequestView& request, grpc::ByteBuffer message,
                     absl::FunctionRef<SpinBudget&()> spin) {
  Over over;
  CallersQueue queue(route_->watchdog, RunElsewhere);
  Start(request, std::move(message), [&over] {
    over.at_ns = SteadyNs();
    over.notified.Notify();
  });
  queue.Run([&over] { return over.notified.HasBeenNotified(); });
  over.Await(spin());
}

}  // namespace grpc_cxl::internal
