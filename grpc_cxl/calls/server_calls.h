// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_CALLS_SERVER_CALLS_H_
#define GRPC_CXL_CALLS_SERVER_CALLS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "grpc_cxl/arena/arena_pages.h"
#include "grpc_cxl/base/counter.h"
#include "grpc_cxl/calls/call_budget.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/coherence/shared_view.h"
#include "grpc_cxl/priority_level.h"

namespace grpc_cxl::internal {

// The server's half of a call area (call_layout.h); its twin is ClientCalls.
//
//     idle --Run() takes it--> running --Respond()--> sending --last part--> idle
//       |                         ^
//       +--Run(): no room--> waiting --Refuse(), or its client gives up--> idle
//                            TakeWaiting()
//
// The client may be hostile: whatever it writes, the worst is a DATA_LOSS from Run(), after
// which the connection is to be closed. Knows no gRPC. Thread-safe.
class ServerCalls {
 public:
  // Names a call, also after its slot went to another.
  struct CallId {
    int slot;
    uint32_t generation;
    bool wants_response = true;  // else Respond() may be given nothing, and sends nothing
    Priority priority = Priority::kDefault;
    uint32_t number = 0;  // in what order it waits, by the client's word
  };

  // As for ClientCalls; `wake_peer` wakes the client. `budget` grants the two buffers of each slot
  // at the slot's first call; null: they are granted.
  ServerCalls(absl::Span<char> area, size_t buffer_bytes, std::function<void()> wake_peer,
              SharedView view = {}, ArenaPages pages = {},
              std::shared_ptr<CallBudget> budget = nullptr, CallServerPlaces look = {});
  ServerCalls(const ServerCalls&) = delete;
  ServerCalls& operator=(const ServerCalls&) = delete;

  size_t buffer_bytes() const { return buffer_bytes_; }

  // Reserves all words of the area now, before its first call.
  absl::Status ReserveAllWords();

  // Whether calls are taken; at first they are not. Taken calls go on; running() counts all of
  // them when this returns.
  void SetAccepting(bool accepting);

  struct TakenCall {
    CallId id;
    std::string request;  // for DecodeRequest()
  };
  // News from the client.
  struct News {
    absl::InlinedVector<TakenCall, 1> taken;  // each needs its Respond(), also after an error
    std::vector<CallId> cancelled;            // of running calls
    std::vector<CallId> waiting;              // each for its TakeWaiting() or Refuse(), or for
    std::vector<CallId> withdrawn;            // its client's change of mind: these were refused
    uint32_t refused = 0;                     // calls that were not taken
    absl::Status status;  // DATA_LOSS: the client broke the protocol; RESOURCE_EXHAUSTED: no memory
  };
  // For the polling thread: whether the client has news, in the line of `posted` as it was last
  // dropped, and acting upon them; then Run() looks once more if there were none.
  bool Ready() const;
  News Run() {
    return Run([](Priority) { return true; });
  }
  // `has_room` is asked for each call that could be taken; otherwise it waits.
  News Run(absl::FunctionRef<bool(Priority)> has_room);
  // Nullopt: it waits no more, or was refused.
  std::optional<TakenCall> TakeWaiting(CallId call);
  // False: it waits no more.
  bool Refuse(CallId call);

  // Ends a call with the bytes of EncodeResponseHead() and its message. From any thread, also
  // after the connection's end.
  void Respond(CallId call, std::string response);
  // The same without a response, after the connection's end: the client hears of that alone.
  void Drop(CallId call);

  // Tells the client the load (MakeLoadWord()), where memory is coherent.
  void SetLoad(uint64_t word) {
    // relaxed: nothing is published with it. Loaded by ClientCalls::load().
    if (view_.coherent()) mine_->load.store(word, std::memory_order_relaxed);
  }

  // Tells the client how many calls the server runs at a time; 0: any number.
  void SetCapacity(uint32_t calls) {
    // relaxed: a hint by itself. Loaded by ClientCalls::capacity().
    view_.Store(mine_->capacity, calls, std::memory_order_relaxed);
  }

  // Calls seen so far.
  uint64_t calls_seen() const { return calls_seen_.load(std::memory_order_relaxed); }
  // Bytes of the buffers, of responses and requests.
  uint64_t bytes_out() const { return bytes_out_; }
  uint64_t bytes_in() const { return bytes_in_; }
  // Taken calls whose last part is not sent yet, and those of them without a response.
  int busy() const { return busy_.load(std::memory_order_seq_cst); }
  int running() const { return running_.load(std::memory_order_seq_cst); }

 private:
  enum class Stage { kIdle, kWaiting, kRunning, kSending };
  struct Slot {
    absl::Mutex mu;
    Stage stage ABSL_GUARDED_BY(mu) = Stage::kIdle;
    uint32_t generation ABSL_GUARDED_BY(mu) = 0;
    bool wants_response ABSL_GUARDED_BY(mu) = true;
    Priority priority ABSL_GUARDED_BY(mu) = Priority::kDefault;
    uint32_t request_bytes ABSL_GUARDED_BY(mu) = 0;
    std::string response ABSL_GUARDED_BY(mu);
    size_t sent ABSL_GUARDED_BY(mu) = 0;
    uint32_t parts ABSL_GUARDED_BY(mu) = 0;
    bool reserved ABSL_GUARDED_BY(mu) = false;  // the response buffer; both are granted
  };

  // Bytes at the beginning of a request that come with its slot, in one trip to memory.
  static constexpr size_t kFirstBytes = 256;

  absl::Status Look(absl::FunctionRef<bool(Priority)> has_room, News* news)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(run_mu_);
  void LookAtCancels(News* news) ABSL_EXCLUSIVE_LOCKS_REQUIRED(run_mu_);
  // A slot with a new call.
  absl::Status See(int slot, absl::FunctionRef<bool(Priority)> has_room, News* news)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(run_mu_);
  // Nullopt: it was refused. The first `acquired` bytes of the request are here.
  std::optional<TakenCall> Take(int slot, Slot& state, size_t acquired)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(run_mu_, state.mu);
  bool IsWaiting(const Slot& state, CallId call) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.mu) {
    return state.stage == Stage::kWaiting && state.generation == call.generation;
  }
  absl::Status SendNext(int slot);
  // Reserves the slots' words, once.
  absl::Status ReserveWords() ABSL_EXCLUSIVE_LOCKS_REQUIRED(run_mu_);
  bool ReserveBuffers(int slot);
  // Gives the response buffers of idle slots back.
  void Rest();
  void SendPart(int slot, Slot& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.mu);
  // A running call ends without a response.
  void EndRunning(Slot& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.mu);
  // A call is no longer busy.
  void NotBusy();
  // Publishes the slot's new word and tells the client, as its `waiter` word says.
  void Tell(int slot, uint32_t word);

  absl::Span<const char> Request(int slot) const {
    return {requests_ + slot * buffer_bytes_, buffer_bytes_};
  }

  const CallClientWords* const peer_;
  CallServerWords* const mine_;
  const CallClientLook* const peer_look_;
  CallServerLook* const my_look_;
  const CallClientSlot* const client_slots_;
  CallServerSlot* const server_slots_;
  const char* const requests_;
  char* const responses_;
  const size_t buffer_bytes_;
  const std::function<void()> wake_peer_;
  const SharedView view_;
  const ArenaPages pages_;
  const std::shared_ptr<CallBudget> budget_;

  std::atomic<bool> accepting_{false};
  // seq_cst, with EndpointCore's `shut_down_`: its CloseIfDone() sees the last call go, or the
  // UserIdle() behind that sees the shutdown. ServerLinkUser::AwaitResponses() looks at `running_`
  // again after each response.
  std::atomic<int> busy_{0};
  // A call without a response has ended, and the client was not woken: whoever ends the last busy
  // call does that. seq_cst, with busy_.
  std::atomic<bool> untold_{false};
  std::atomic<int> running_{0};
  // The bitmaps that Run() has acted upon. Written under run_mu_, read by Ready().
  absl::Mutex run_mu_;
  std::atomic<uint64_t> seen_posted_{0};
  std::atomic<uint64_t> seen_cancelled_{0};
  std::atomic<uint64_t> seen_acked_{0};
  std::atomic<uint64_t> seen_read_{0};
  std::atomic<uint64_t> calls_seen_{0};  // posted so far; relaxed, counted under run_mu_
  Counter bytes_out_, bytes_in_;
  bool words_reserved_ ABSL_GUARDED_BY(run_mu_) = false;  // of the slots
  const std::unique_ptr<Slot[]> slots_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_CALLS_SERVER_CALLS_H_
