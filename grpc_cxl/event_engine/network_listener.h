// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_NETWORK_LISTENER_H_
#define GRPC_CXL_EVENT_ENGINE_NETWORK_LISTENER_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace grpc_cxl::internal {

// gRPC's own listener, which may be closed before gRPC closes it: while a server lets its calls
// finish, new connections go to another that shares its address (SO_REUSEPORT). Thread-safe.
class NetworkListener {
 public:
  using EventEngine = grpc_event_engine::experimental::EventEngine;

  explicit NetworkListener(std::unique_ptr<EventEngine::Listener> listener)
      : listener_(std::move(listener)) {}

  absl::StatusOr<int> Bind(const EventEngine::ResolvedAddress& address) {
    absl::MutexLock lock(mu_);
    if (listener_ == nullptr) return absl::FailedPreconditionError("Bind() after Close()");
    return listener_->Bind(address);
  }
  // OK as well after Close(): gRPC would abort.
  absl::Status Start() {
    absl::MutexLock lock(mu_);
    return listener_ == nullptr ? absl::OkStatus() : listener_->Start();
  }
  void Close() {
    std::unique_ptr<EventEngine::Listener> dropped;  // after the lock
    absl::MutexLock lock(mu_);
    dropped.swap(listener_);
  }

 private:
  absl::Mutex mu_;
  std::unique_ptr<EventEngine::Listener> listener_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_NETWORK_LISTENER_H_
