// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_CALLS_SERVER_CALL_AREAS_H_
#define GRPC_CXL_CALLS_SERVER_CALL_AREAS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "grpc_cxl/arena/arena_pages.h"
#include "grpc_cxl/calls/call_budget.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/calls/server_calls.h"
#include "grpc_cxl/coherence/shared_view.h"
#include "grpc_cxl/status/status_layout.h"

namespace grpc_cxl::internal {

// The server's half of all call areas of a connection; its twin is ClientCallAreas, which says when
// the next one is opened. Without memory for it, calls take the stream path, and it is tried again
// with news of later calls, at most ten times a second. Slots are numbered through as there.
// Functions are those of ServerCalls. Thread-safe.
class ServerCallAreas {
 public:
  // `memory` has `count` areas; `look` is of the first. `budget` grants the words of each but the
  // first, and their slots' buffers when these are used.
  ServerCallAreas(absl::Span<char> memory, size_t buffer_bytes, size_t count,
                  std::shared_ptr<CallBudget> budget, std::function<void()> wake_peer,
                  SharedView view, ArenaPages pages, CallServerPlaces look = {});

  size_t buffer_bytes() const { return buffer_bytes_; }
  void SetAccepting(bool accepting);
  bool Ready() const;
  ServerCalls::News Run() {
    return Run([](Priority) { return true; });
  }
  ServerCalls::News Run(absl::FunctionRef<bool(Priority)> has_room);
  std::optional<ServerCalls::TakenCall> TakeWaiting(ServerCalls::CallId call);
  bool Refuse(ServerCalls::CallId call);
  void Respond(ServerCalls::CallId call, std::string response);
  void Drop(ServerCalls::CallId call);
  void SetLoad(uint64_t word) { areas_[0]->SetLoad(word); }
  void SetCapacity(uint32_t calls) { areas_[0]->SetCapacity(calls); }
  uint64_t calls_seen() const;
  void FillStatus(StatusConnection* entry) const;
  int busy() const;
  int running() const;

 private:
  size_t open() const { return open_.load(std::memory_order_acquire); }  // matched by Open()
  const CallClientWords& words() const {
    return *reinterpret_cast<const CallClientWords*>(memory_.data());
  }
  // The area of the call's slot, as which `call` is numbered then.
  ServerCalls& Of(ServerCalls::CallId* call) const {
    ServerCalls& area = *areas_[call->slot / kCallSlots];
    call->slot %= kCallSlots;
    return area;
  }
  std::unique_ptr<ServerCalls> MakeArea(size_t i) const;
  // Opens what the client has counted. DATA_LOSS: there are not so many.
  absl::Status OpenMore();
  bool Open(size_t i) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const absl::Span<char> memory_;
  const size_t buffer_bytes_;
  const size_t count_;
  const std::shared_ptr<CallBudget> budget_;
  const std::function<void()> wake_peer_;
  const SharedView view_;
  const ArenaPages pages_;
  const CallServerPlaces look_;

  absl::Mutex mu_;
  bool accepting_ ABSL_GUARDED_BY(mu_) = false;
  int64_t refused_ns_ ABSL_GUARDED_BY(mu_) = 0;  // when there was no memory for the next area
  std::unique_ptr<ServerCalls> areas_[kMostCallAreas];  // the first open() do not change
  std::atomic<size_t> open_{1};
  // `more_areas`, acted upon. Written under mu_, read by Ready(); relaxed: a number by itself.
  std::atomic<uint32_t> seen_more_{0};
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_CALLS_SERVER_CALL_AREAS_H_
