// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_HELD_ENDPOINT_H_
#define GRPC_CXL_EVENT_ENGINE_HELD_ENDPOINT_H_

#include <grpc/event_engine/event_engine.h>
#include <grpc/event_engine/slice_buffer.h>

#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace grpc_cxl::internal {

// Keeps a connection that carries direct calls alone, until its peer or Drop() ends it. A peer that
// sends bytes of a stream has misunderstood, and is dropped as well. Thread-safe; owned by a
// shared_ptr.
class HeldEndpoint final : public std::enable_shared_from_this<HeldEndpoint> {
 public:
  using EventEngine = grpc_event_engine::experimental::EventEngine;

  // `on_end`: its peer has ended it; on any thread, with no lock held.
  HeldEndpoint(std::shared_ptr<EventEngine> executor,
               std::unique_ptr<EventEngine::Endpoint> endpoint,
               std::function<void()> on_end = nullptr)
      : executor_(std::move(executor)),
        on_end_(std::move(on_end)),
        endpoint_(std::move(endpoint)) {}

  // Lives until the end from now on. Once, and not after Drop().
  void Start() {
    absl::MutexLock lock(mu_);
    if (endpoint_->Read([self = shared_from_this()](const absl::Status&) { self->End(); }, &buffer_,
                        {})) {
      executor_->Run([self = shared_from_this()] { self->End(); });
    }
  }
  // False when it has ended.
  bool Drop() {
    std::unique_ptr<EventEngine::Endpoint> dropped;
    absl::MutexLock lock(mu_);
    dropped = std::move(endpoint_);
    return dropped != nullptr;
  }

 private:
  void End() {
    if (Drop() && on_end_) on_end_();
  }

  const std::shared_ptr<EventEngine> executor_;
  const std::function<void()> on_end_;
  absl::Mutex mu_;
  std::unique_ptr<EventEngine::Endpoint> endpoint_ ABSL_GUARDED_BY(mu_);
  grpc_event_engine::experimental::SliceBuffer buffer_;  // of the endpoint's read
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_HELD_ENDPOINT_H_
