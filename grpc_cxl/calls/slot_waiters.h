// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_CALLS_SLOT_WAITERS_H_
#define GRPC_CXL_CALLS_SLOT_WAITERS_H_

#include <atomic>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/doorbell/spin_budget.h"

namespace grpc_cxl::internal {

// The client's threads that wait for calls on a connection, each for its own slot. They sleep and
// wake each other as call_layout.h says. While several wait, a single thread looks out for all,
// with a spin budget of its own: spinning alone is in vain, since most calls that end belong to
// another thread.
//
//     StartLooking() --look at the slot--> Park() --look--> ... --> StopLooking()
//
// Thread-safe. The other half of the protocol is ServerCalls::Tell().
class SlotWaiters {
 public:
  // `awake` and `slots` (kCallSlots of them) are those of the call area.
  SlotWaiters(SharedU32* awake, const CallServerSlot* slots, SpinBudget spin)
      : awake_(awake), slots_(slots), spin_(spin) {}

  // The calling thread starts, and stops, to look at a slot by itself.
  void StartLooking();
  void StopLooking();

  // Wakes the sleeping threads whose slot's word has changed; returns their number.
  int WakeParked();

  // If other threads are parked and no thread looks for them: looks for all while calls end, not
  // beyond `until_ns` (of CLOCK_MONOTONIC). Calls `done` again and again; true as soon as it is.
  bool LookOut(int64_t until_ns, absl::FunctionRef<bool()> done);

  // Sleeps while the slot's word is `seen`, at most `nanoseconds`; wakes for no reason now and
  // then. Called between StartLooking() and StopLooking(). Returns when it was woken, by
  // CLOCK_MONOTONIC; negative: not known.
  int64_t Park(int slot, uint32_t seen, int64_t nanoseconds);

  // Wakes the thread that is parked on this slot.
  void Wake(int slot) const;

 private:
  static uint64_t Bit(int slot) { return uint64_t{1} << slot; }
  int64_t WokenAt(int slot, int64_t from_ns, int64_t to_ns) const;
  // Tells spin_ of a sleep of all threads, from `from_ns` to `to_ns`.
  void AllSlept(int64_t from_ns, int64_t woken_ns, int64_t to_ns);

  SharedU32* const awake_;
  const CallServerSlot* const slots_;

  // Slots whose thread sleeps, or is about to; only that thread changes its bit.
  std::atomic<uint64_t> parked_{0};
  // The word that the thread went to sleep on, or was last woken for.
  std::atomic<uint32_t> known_words_[kCallSlots] = {};
  // When a thread of ours last woke the slot's.
  std::atomic<int64_t> woke_at_[kCallSlots] = {};
  // When the last thread stopped looking, while no thread looks; 0: not known.
  std::atomic<int64_t> unwatched_since_{0};
  std::atomic<bool> looking_out_{false};
  // Of the thread that has set looking_out_:
  SpinBudget spin_;
  PastWait gave_up_;  // what it had spun before it parked
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_CALLS_SLOT_WAITERS_H_
