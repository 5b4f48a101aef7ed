// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_DETACHED_CALL_H_
#define GRPC_CXL_DIRECT_DETACHED_CALL_H_

#include <grpc/event_engine/event_engine.h>

#include <chrono>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace grpc_cxl::internal {

// How long a cancelled call waits for its server to say so, and until TryCancel() has returned.
inline constexpr auto kCancelPatience = std::chrono::milliseconds(10);

class DirectCall;

// A call that no thread waits for. Outcome, deadline and cancellation race to end it and share
// this object; only the first finds the call. Thread-safe.
class DetachedCall {
 public:
  using TaskHandle = grpc_event_engine::experimental::EventEngine::TaskHandle;

  explicit DetachedCall(DirectCall* call) : call_(call) {}

  // The call, which the first caller ends; null for later callers.
  DirectCall* Take() {
    absl::MutexLock lock(mu_);
    return std::exchange(call_, nullptr);
  }
  bool over() const {
    absl::MutexLock lock(mu_);
    return call_ == nullptr;
  }

  // The deadline's timer; kInvalid: none.
  void SetTimer(TaskHandle timer) {
    absl::MutexLock lock(mu_);
    timer_ = timer;
  }
  TaskHandle timer() const {
    absl::MutexLock lock(mu_);
    return timer_;
  }

 private:
  mutable absl::Mutex mu_;
  DirectCall* call_ ABSL_GUARDED_BY(mu_);
  TaskHandle timer_ ABSL_GUARDED_BY(mu_) = TaskHandle::kInvalid;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_DETACHED_CALL_H_
