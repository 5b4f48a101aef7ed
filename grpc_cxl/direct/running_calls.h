// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_RUNNING_CALLS_H_
#define GRPC_CXL_DIRECT_RUNNING_CALLS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "grpc_cxl/calls/server_calls.h"

namespace grpc_cxl::internal {

// A running call that the connection can cancel.
class Cancellable {
 public:
  virtual ~Cancellable() = default;
  virtual void Cancel() = 0;
};

// The calls that a connection can cancel, by slot. A cancellation may come before its call, and may
// come late: the thread that has seen it stands still, another one takes over (Pollable), and takes
// the slot's next call meanwhile. Not thread-safe.
class RunningCalls {
 public:
  explicit RunningCalls(size_t slots) : slots_(slots) {}

  // `running` may be cancelled until End(), and is now if `call` was before.
  void Begin(ServerCalls::CallId call, Cancellable* running) {
    Slot& slot = slots_[call.slot];
    slot.last = call.generation;
    slot.running = running;
    if (all_cancelled_ || slot.cancelled == call.generation) running->Cancel();
  }
  // Also of a call that did not begin.
  void End(ServerCalls::CallId call) {
    slots_[call.slot].last = call.generation;
    slots_[call.slot].running = nullptr;
  }

  // Does nothing to others of the slot than this one.
  void Cancel(ServerCalls::CallId call) {
    Slot& slot = slots_[call.slot];
    const auto ahead = static_cast<int32_t>(call.generation - slot.last);
    if (ahead > 0) slot.cancelled = call.generation;
    if (ahead == 0 && slot.running != nullptr) slot.running->Cancel();
  }
  // Those that run, and all that will begin.
  void CancelAll() {
    all_cancelled_ = true;
    for (const Slot& slot : slots_) {
      if (slot.running != nullptr) slot.running->Cancel();
    }
  }

 private:
  struct Slot {
    uint32_t last = 0;       // generation of the call that began or ended last
    uint32_t cancelled = 0;  // of one that had not begun
    Cancellable* running = nullptr;
  };

  std::vector<Slot> slots_;
  bool all_cancelled_ = false;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_RUNNING_CALLS_H_
