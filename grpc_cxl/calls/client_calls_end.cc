// SPDX-License-Identifier: Apache-2.0

// How a client finds out whether a posted call can still run: at the end of the connection, and
// when the call is to be made elsewhere.

#include <utility>

#include "grpc_cxl/calls/client_calls.h"
#include "grpc_cxl/doorbell/full_fence.h"

namespace grpc_cxl::internal {

bool ClientCalls::MayHaveRun(int slot) {
  const uint32_t generation = calls_[slot].generation;
  view_.Store(client_slots_[slot].cancelled_generation, generation, std::memory_order_relaxed);
  FullFence();  // steps 1 to 3 of call_layout.h; matched by the one in ServerCalls::Take()
  const uint32_t word = view_.Load(server_slots_[slot].word, std::memory_order_acquire);
  return !view_.Holds() || (IsOfCall(word, generation) && CallStateOf(word) != CallState::kRefused);
}

void ClientCalls::Ended() {
  ended_.store(true, std::memory_order_seq_cst);  // matched by the loads in ended()
  // seq_cst: a slot that is missed here was taken so late that WhenDone(), behind its fence, sees
  // `ended_`.
  const uint64_t used = ~free_.load(std::memory_order_seq_cst);
  for (uint64_t left = used; left != 0; left &= left - 1) {
    const int slot = __builtin_ctzll(left);
    waiters_.Wake(slot);  // the thread in Wait()
    LookPolled(slot);
  }
}

void ClientCalls::LookAtEnd(int slot, CallOutcome* outcome) {
  if (Look(slot, outcome)) return;
  *outcome = {MayHaveRun(slot) ? CallOutcome::Kind::kLost : CallOutcome::Kind::kNotRun, {}};
}

int ClientCalls::TakeBack(const std::function<void()>& freed) {
  int taken_back = 0;
  // relaxed: a call that is missed here has just been posted.
  uint64_t left =
      polled_.load(std::memory_order_relaxed) & ~unwanted_.load(std::memory_order_relaxed);
  for (; left != 0; left &= left - 1) {
    const int slot = __builtin_ctzll(left);
    Call& call = calls_[slot];
    Callback callback;
    {
      absl::MutexLock lock(calls_[slot].mu);
      // relaxed: spares the calls that run what follows.
      const uint32_t word = view_.Load(server_slots_[slot].word, std::memory_order_relaxed);
      if (!call.callback || call.cancelled || IsOfCall(word, call.generation)) continue;
      if (MayHaveRun(slot)) continue;  // or it is refused just now
      callback = std::exchange(call.callback, [freed](CallOutcome) { freed(); });
      FlipCancelled(slot);
    }
    callback({CallOutcome::Kind::kNotRun, {}});
    ++taken_back;
  }
  return taken_back;
}

}  // namespace grpc_cxl::internal
