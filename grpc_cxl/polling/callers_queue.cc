// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/polling/callers_queue.h"

#include <utility>

#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/polling/watchdog.h"

namespace grpc_cxl::internal {
namespace {

thread_local CallersQueue* current = nullptr;

}  // namespace

CallersQueue* CallersQueue::Current() { return current; }

CallersQueue::CallersQueue(Watchdog* watchdog, void (*elsewhere)(Closure))
    : watchdog_(watchdog), elsewhere_(elsewhere), outer_(current) {
  if (outer_ != nullptr) outer_->HandOver();
  current = this;
  watchdog_->Enter(this);
}

CallersQueue::~CallersQueue() {
  watchdog_->Leave(this);
  HandOver();
  current = outer_;
}

bool CallersQueue::Add(Closure& closure) {
  absl::MutexLock lock(mu_);
  if (vacated_) return false;
  closures_.push_back(std::move(closure));
  return true;
}

void CallersQueue::Run(absl::FunctionRef<bool()> over) {
  while (!over()) {
    Closure closure;
    {
      absl::MutexLock lock(mu_);
      if (closures_.empty()) return;
      closure = std::move(closures_.front());
      closures_.pop_front();
    }
    const int64_t now = SteadyNs();
    const bool keeps = seat_.Call(
        now, [this, now] { watchdog_->NoteBusy(now); },
        [&closure] {
          closure();
          closure = nullptr;
        });
    if (!keeps) return;  // whatever there was is elsewhere
  }
}

bool CallersQueue::VacateIfStuckIn(uint64_t busy) {
  if (!seat_.VacateIfStuckIn(busy)) return false;
  {
    absl::MutexLock lock(mu_);
    vacated_ = true;
  }
  HandOver();
  return true;
}

void CallersQueue::HandOver() {
  std::deque<Closure> closures;
  {
    absl::MutexLock lock(mu_);
    closures.swap(closures_);
  }
  CallersQueue* const here = std::exchange(current, nullptr);
  for (Closure& closure : closures) elsewhere_(std::move(closure));
  current = here;
}

}  // namespace grpc_cxl::internal
