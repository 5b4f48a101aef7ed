// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_CALLS_CLIENT_CALL_AREAS_H_
#define GRPC_CXL_CALLS_CLIENT_CALL_AREAS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "grpc_cxl/arena/arena_pages.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/calls/client_calls.h"
#include "grpc_cxl/coherence/shared_view.h"
#include "grpc_cxl/doorbell/spin_budget.h"
#include "grpc_cxl/priority_level.h"
#include "grpc_cxl/status/status_layout.h"

namespace grpc_cxl::internal {

// The client's half of all call areas of a connection; its twin is ServerCallAreas. Slots are
// numbered through: slot s is slot s % 64 of area s / 64. Functions are those of ClientCalls.
//
// The first area is there from the beginning. The next one is opened when the last one is half
// full: its words are reserved, `more_areas` counts it, and it carries calls once the server, which
// may have no memory for it, takes them there. Open areas stay. Threads look out for parked callers
// in the first area only; those of the others are woken by the server. Thread-safe.
class ClientCallAreas {
 public:
  // `memory` has `count` areas; `look` is of the first.
  ClientCallAreas(absl::Span<char> memory, size_t buffer_bytes, size_t count,
                  std::function<void()> wake_peer, SharedView view, bool polls, SpinBudget spin,
                  ArenaPages pages, CallClientPlaces look = {});

  size_t buffer_bytes() const { return areas_[0]->buffer_bytes(); }
  bool Accepting() const { return areas_[0]->Accepting(); }

  int Acquire();
  absl::Span<char> RequestBuffer(int slot) const { return Of(slot).RequestBuffer(In(slot)); }
  void Release(int slot) { Of(slot).Release(In(slot)); }
  uint32_t Post(int slot, size_t request_bytes, size_t response_limit,
                Priority priority = Priority::kDefault) {
    return Of(slot).Post(In(slot), request_bytes, response_limit, priority);
  }
  void PostUnwanted(int slot, size_t request_bytes, ClientCalls::Callback callback,
                    Priority priority = Priority::kDefault) {
    Of(slot).PostUnwanted(In(slot), request_bytes, std::move(callback), priority);
  }
  ClientCalls::Waited Wait(int slot, int64_t spin_ns, int64_t patience_ns, CallOutcome* outcome,
                           PastWait* past) {
    return Of(slot).Wait(In(slot), spin_ns, patience_ns, outcome, past);
  }
  void WhenDone(int slot, ClientCalls::Callback callback) {
    Of(slot).WhenDone(In(slot), std::move(callback));
  }
  void Cancel(int slot, uint32_t generation) { Of(slot).Cancel(In(slot), generation); }

  int TakeBack(const std::function<void()>& freed);

  uint64_t load() const { return areas_[0]->load(); }
  uint32_t capacity() const { return areas_[0]->capacity(); }

  uint64_t Ping() { return areas_[0]->Ping(); }
  bool Answered(uint64_t ping) const { return areas_[0]->Answered(ping); }

  bool Ready() const;
  absl::Status Run();
  void Retire();
  void Ended();
  int busy() const;
  // Frees the slots of PostUnwanted() whose calls are over.
  void FreeUnwanted();
  // Whether more than three of four slots are in use, of areas that the server has opened as well.
  // The next one is opened well before.
  bool Crowded() const { return 4 * static_cast<size_t>(busy()) > 3 * kCallSlots * usable(); }
  uint64_t posts() const;
  void FillStatus(StatusConnection* entry) const;
  void Rest();
  bool MayRest() const;

 private:
  ClientCalls& Of(int slot) const { return *areas_[slot / kCallSlots]; }
  static int In(int slot) { return slot % kCallSlots; }
  size_t open() const { return open_.load(std::memory_order_acquire); }  // matched by Open()
  // Areas in which Acquire() looks. The server, which may have no memory, opens them in order.
  size_t usable() const;
  std::unique_ptr<ClientCalls> MakeArea(size_t i);
  // Opens area `i` unless it is open, the connection ends, or there is no memory.
  void Open(size_t i);

  const absl::Span<char> memory_;
  const size_t buffer_bytes_;
  const size_t count_;
  const std::function<void()> wake_peer_;
  const SharedView view_;
  const bool polls_;
  const SpinBudget spin_;
  const ArenaPages pages_;
  const CallClientPlaces look_;

  std::atomic<uint64_t> numbers_{0};  // of calls; relaxed, as in ClientCalls

  absl::Mutex mu_;  // opening, and its end
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  // When there was no memory for the next area; relaxed: a number by itself.
  std::atomic<int64_t> refused_ns_{0};
  std::unique_ptr<ClientCalls> areas_[kMostCallAreas];  // the first open() do not change
  std::atomic<size_t> open_{1};
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_CALLS_CLIENT_CALL_AREAS_H_
