// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_CALLS_CLIENT_CALLS_H_
#define GRPC_CXL_CALLS_CLIENT_CALLS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "grpc_cxl/arena/arena_pages.h"
#include "grpc_cxl/base/counter.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/calls/slot_waiters.h"
#include "grpc_cxl/coherence/shared_view.h"
#include "grpc_cxl/doorbell/spin_budget.h"
#include "grpc_cxl/priority_level.h"

namespace grpc_cxl::internal {

// How a call ended.
struct CallOutcome {
  enum class Kind {
    kResponse,  // `response` holds it, as DecodeResponse() wants it
    kTooLarge,  // it was larger than allowed; `response` holds its first bytes
    kNotRun,    // it has not run and will not: it may be made again, on the stream path
    kLost,      // the connection ended after the server had taken it: it may have run
    kBroken,    // the peer broke the protocol; as kLost
  };
  Kind kind;
  std::string response;
};

// The client's half of a call area (call_layout.h); its twin is ServerCalls.
//
//     free --Acquire()--> owned --Post()--> posted --Wait()/polled--> outcome --> free
//
// There are two ways to wait for a posted call. Wait() looks and sleeps on the slot itself, on
// the caller's thread. WhenDone() leaves the call to the connection's polling thread. A call may
// go from the first way to the second, not back. Every posted call gets exactly one outcome.
//
// Knows no gRPC. Thread-safe.
class ClientCalls {
 public:
  using Callback = absl::AnyInvocable<void(CallOutcome)>;

  // `area`, of CallAreaBytes(buffer_bytes), must stay mapped while this object lives. `wake_peer`
  // wakes the server, from any thread. `polls`: the server cannot wake our threads, as in memory
  // that is not coherent. `spin` is the budget of the thread that looks out for all waiting ones.
  // The first kCallWordsBytes of the area are reserved; others of its `pages` are when a slot is
  // first used.
  // `numbers` numbers the calls of all areas; null: of this one. Words that lie in look lines are
  // at `look`, the server's as they were seen last: who has an area without, looks for himself.
  ClientCalls(absl::Span<char> area, size_t buffer_bytes, std::function<void()> wake_peer,
              SharedView view = {}, bool polls = false,
              SpinBudget spin = SpinBudget(WaitPolicy::kPark, absl::ZeroDuration()),
              ArenaPages pages = {}, std::atomic<uint64_t>* numbers = nullptr,
              CallClientPlaces look = {});
  ClientCalls(const ClientCalls&) = delete;
  ClientCalls& operator=(const ClientCalls&) = delete;

  size_t buffer_bytes() const { return buffer_bytes_; }

  // Whether the server takes calls at the moment, or did at the polling thread's last look. A hint:
  // a call may be refused all the same.
  bool Accepting() const;

  // The server's load (MakeLoadWord()), or whatever it has stored there.
  uint64_t load() const {
    // relaxed: a hint by itself. Stored by ServerCalls::SetLoad().
    return peer_->load.load(std::memory_order_relaxed);
  }

  // How many direct calls the server runs at a time, by its own word; 0: any number. Others wait.
  uint32_t capacity() const {
    // relaxed: as above. Stored by ServerCalls::SetCapacity().
    return view_.Load(peer_->capacity, std::memory_order_relaxed);
  }

  // A free slot, or -1 when all are taken, the connection has ended, or there is no memory.
  int Acquire();
  // The slot's request buffer.
  absl::Span<char> RequestBuffer(int slot) const;
  // Gives back a slot that was not posted.
  void Release(int slot) {
    free_.fetch_or(Bit(slot), std::memory_order_release);  // matched by the acquire in Acquire()
  }

  // Hands the first `request_bytes` of the buffer to the server. A response of more than
  // `response_limit` bytes becomes kTooLarge. Returns the slot's generation, for Cancel().
  uint32_t Post(int slot, size_t request_bytes, size_t response_limit,
                Priority priority = Priority::kDefault);

  // As Post() and WhenDone(), for a call whose response is not wanted: kResponse is then empty. May
  // come long after the call's end. The slot counts as busy until then.
  void PostUnwanted(int slot, size_t request_bytes, Callback callback,
                    Priority priority = Priority::kDefault);
  // Frees the slots of such calls that are over.
  void FreeUnwanted();

  enum class Waited { kDone, kStillRunning };
  // Waits for the outcome: spins for `spin_ns`, then sleeps (or naps, by BackOff, with `polls`),
  // until `patience_ns` are over. kDone: `*outcome` is set and the slot is free. Otherwise the
  // call goes on, and WhenDone() must follow. `*past` tells how the thread waited.
  Waited Wait(int slot, int64_t spin_ns, int64_t patience_ns, CallOutcome* outcome, PastWait* past);

  // Leaves the call to the polling thread: `callback` is called once, from Run(), from Ended(), or
  // from here when the outcome is already there.
  void WhenDone(int slot, Callback callback);

  // Tells the server that the outcome is no longer wanted; the outcome comes all the same.
  // `generation` is Post()'s: does nothing to a later call in the slot.
  void Cancel(int slot, uint32_t generation);

  // Takes back what was left to the polling thread and the server has not taken, but for one-way
  // calls: each gets kNotRun from here. Its slot stays in use until the server, which may be
  // stopped, has seen that; then `freed` is called, as callbacks are. Returns their number.
  int TakeBack(const std::function<void()>& freed);

  // Sends a liveness ping, and whether the server has answered it.
  uint64_t Ping();
  bool Answered(uint64_t ping) const;

  // For the polling thread: whether polled calls have news, in the line of `news` as it was last
  // dropped, and handling them. An error: the peer broke the protocol.
  bool Ready() const;
  absl::Status Run();

  // Acquire() returns no slot from now on; calls under way go on.
  // seq_cst, with Acquire(): that sees this, or busy() sees its slot.
  void Retire() { retired_.store(true, std::memory_order_seq_cst); }

  // The connection has ended: every posted call gets kNotRun or kLost now, and Acquire() returns
  // no slot any more.
  void Ended();

  // Slots in use.
  int busy() const { return __builtin_popcountll(~free_.load(std::memory_order_seq_cst)); }
  // Calls posted so far.
  uint64_t posts() const { return posts_.load(std::memory_order_relaxed); }
  // Bytes of the buffers, of requests and responses.
  uint64_t bytes_out() const { return bytes_out_; }
  uint64_t bytes_in() const { return bytes_in_; }

  // Gives the memory of free slots back until their next call, and has the server do the same if
  // all are free.
  void Rest();
  // Whether Rest() may have something to give.
  bool MayRest() const {
    return pages_.may_give_back() && reserved_.load(std::memory_order_relaxed) != 0;
  }

 private:
  struct Call {
    uint32_t generation = 0;
    uint32_t parts = 0;    // parts read so far
    std::string response;  // their bytes
    size_t response_limit = 0;
    bool too_large = false;
    absl::Mutex mu;     // guards the fields below; of a polled call all fields
    bool live = false;  // posted, and its outcome not delivered
    Callback callback;  // set: polled
    bool cancelled = false;

    void Begin(size_t limit) {
      ++generation;
      live = true;
      parts = 0;
      response.clear();
      response_limit = limit;
      too_large = false;
      cancelled = false;
    }
  };

  static uint64_t Bit(int slot) { return uint64_t{1} << slot; }
  int TryAcquire();
  void FillSlot(int slot, size_t request_bytes, size_t response_limit, CallWaiter waiter,
                Priority priority) ABSL_EXCLUSIVE_LOCKS_REQUIRED(calls_[slot].mu);
  void FlipPosted(int slot);
  // Reads the slot's next part, acks it. True: `*outcome` is complete. `fresh`: the slot's line has
  // just been dropped.
  bool Look(int slot, CallOutcome* outcome, bool fresh = false);
  // The same after the connection's end: always complete.
  void LookAtEnd(int slot, CallOutcome* outcome);
  // Look(), and LookAtEnd() after the connection's end.
  bool LookOrEnd(int slot, CallOutcome* outcome);
  // The sleeping part of Wait(): parked, or in naps with `polls`. True: `*outcome` is complete;
  // false: time is up. In `*past`, `slept` and `woken_ns`, by CLOCK_MONOTONIC, are set.
  bool SleepUntilDone(int slot, int64_t until_ns, CallOutcome* outcome, PastWait* past);
  bool NapUntilDone(int slot, int64_t until_ns, CallOutcome* outcome, PastWait* past);
  // Takes a call back: steps 1 to 3 of call_layout.h.
  bool MayHaveRun(int slot);
  void FlipCancelled(int slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(calls_[slot].mu);
  // Delivers the outcome of a polled slot if it is there.
  void LookPolled(int slot, bool fresh = false);
  // Drops the lines of all these slots in one trip.
  void RefreshSlots(uint64_t slots) const;
  // Frees the slot of a call whose outcome Wait() returns.
  void Finish(int slot);
  // Also when the memory is not ours any more.
  bool ended() const { return ended_.load(std::memory_order_seq_cst) || !view_.Holds(); }
  // Reserves what the slot's caller writes. False: there is no memory.
  bool Reserve(int slot);

  CallClientWords* const mine_;
  const CallServerWords* const peer_;
  CallClientLook* const my_look_;
  const CallServerLook* const peer_look_;
  CallClientSlot* const client_slots_;
  const CallServerSlot* const server_slots_;
  char* const requests_;
  const char* const responses_;
  const size_t buffer_bytes_;
  const std::function<void()> wake_peer_;
  const SharedView view_;
  const bool polls_;
  SlotWaiters waiters_;  // unused where `polls_`
  const ArenaPages pages_;

  std::atomic<uint64_t> free_{~uint64_t{0}};  // where a load is relaxed, it is a hint
  // Slots with a callback. relaxed: Run() sees a bit, or WhenDone() looks behind its fence.
  std::atomic<uint64_t> polled_{0};
  // Slots of PostUnwanted(), a part of those. relaxed: a hint when slots are short.
  std::atomic<uint64_t> unwanted_{0};
  std::atomic<bool> ended_{false};
  // relaxed, both: flags by themselves; a call that begins at the same moment may miss them.
  std::atomic<bool> retired_{false};
  std::atomic<bool> broken_{false};
  std::atomic<uint64_t> seen_news_{0};    // of the polling thread
  std::atomic<uint64_t> posts_{0};        // relaxed: a number by itself
  std::atomic<uint64_t>* const numbers_;  // in the same way; null: posts_
  Counter bytes_out_, bytes_in_;
  // Slots whose memory is reserved. Bit i changes only with slot i owned; relaxed, as free_ orders.
  std::atomic<uint64_t> reserved_{0};
  const std::unique_ptr<Call[]> calls_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_CALLS_CLIENT_CALLS_H_
