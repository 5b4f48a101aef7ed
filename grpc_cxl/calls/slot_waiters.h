// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_CALLS_SLOT_WAITERS_H_
#define GRPC_CXL_CALLS_SLOT_WAITERS_H_

#include <atomic>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/doorbell/spin_budget.h"

namespace grpc_cxl::internal {

// The client's threads that wait for calls on one connection, each for its own slot: they
// sleep and wake each other as call_layout.h says. While several wait, one of them looks out
// for all, by a spin budget of its own: each thread alone would spin in vain, because most
// calls that end are another's.
//
//     StartLooking() --look at the slot--> Park() --look--> ... --> StopLooking()
//
// Thread-safe; the process's own half of a protocol whose other half is ServerCalls::Tell().
class SlotWaiters {
 public:
  // `awake` is the connection's word for this, `slots` its kCallSlots words of the server.
  SlotWaiters(SharedU32* awake, const CallServerSlot* slots, SpinBudget spin)
      : awake_(awake), slots_(slots), spin_(spin) {}

  // The calling thread looks at a slot by itself, and no longer does.
  void StartLooking();
  void StopLooking();

  // Wakes the threads that sleep although their slot's word has changed; how many those were.
  int WakeParked();

  // If other threads are parked and no thread looks for them: looks for all while that finds
  // anything, not beyond `until_ns` (of CLOCK_MONOTONIC). True as soon as `done`, which is called
  // again and again, is.
  bool LookOut(int64_t until_ns, absl::FunctionRef<bool()> done);

  // Sleeps while the slot's word is `seen`, at most `nanoseconds`; wakes for no reason now and
  // then. Called between StartLooking() and StopLooking().
  void Park(int slot, uint32_t seen, int64_t nanoseconds);

  // Wakes the thread that is parked on this slot.
  void Wake(int slot) const;

 private:
  static uint64_t Bit(int slot) { return uint64_t{1} << slot; }

  SharedU32* const awake_;
  const CallServerSlot* const slots_;

  // Slots whose thread sleeps, or is about to; changed by that thread alone.
  std::atomic<uint64_t> parked_{0};
  // The word that it went to sleep on, or that it has been woken for since.
  std::atomic<uint32_t> known_words_[kCallSlots] = {};
  // When the last thread stopped looking, if none does; 0 when that is not known.
  std::atomic<int64_t> unwatched_since_{0};
  std::atomic<bool> looking_out_{false};
  SpinBudget spin_;  // of the thread that has set looking_out_
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_CALLS_SLOT_WAITERS_H_
