// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_POLLING_WATCHDOG_H_
#define GRPC_CXL_POLLING_WATCHDOG_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/polling/callers_queue.h"
#include "grpc_cxl/polling/poller.h"
#include "grpc_cxl/polling/usable_cores.h"

namespace grpc_cxl::internal {

// The process's pollers, their threads, and the thread that keeps a blocking callback from
// stalling other connections: a leader that has been inside one callback for 2 to 4 ms is replaced,
// and a helper has its place taken. The same threads serve as helpers (see Poller). A CallersQueue
// loses its closures.
//
// The pollers arm its timer, and put it off while their callbacks return:
//
//     poller                              watchdog, woken by the timer
//     1. busy := odd                      a. armed := false
//     2. if not armed, arm for 4 ms       b. load every busy; replace what is odd for 2 ms,
//        after now                           arm for when the others will be
//     3. callback()
//     4. if armed for the next 2 ms,
//        and no callback runs, put it
//        off to 4 ms after now
//
// So an idle process does not wake up, a seldom called process wakes up once a call, 4 ms after it,
// and the watchdog of a busy one sleeps on. (To put the timer off is a system call; to let it fire
// is three, and two context switches.)
//
// The accesses of 1, 2, a and b are seq_cst. If 2 finds it armed, then 1 came before a in their
// total order, so b sees the callback; otherwise 2 arms. No callback goes unwatched. The "now" of 4
// comes before its look at the callbacks: one that it misses began later, so that the timer fires
// when that is 4 ms old at the latest. A timer that step 4 sets while the watchdog is in a or b
// fires once for nothing.
//
// Lives as long as the process: never destroyed. Thread-safe.
class Watchdog {
 public:
  // Starts `pollers` (>= 1) polling threads and the watchdog's own. Of all threads, as many work at
  // once as there are `cores`. A thread that was replaced, or has lost its place, counts no more:
  // it is taken to be blocked, even if it computes. So callbacks that compute for longer than 4 ms,
  // while others wait, have more threads than there are cores.
  explicit Watchdog(int pollers, int cores = UsableCores());
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // The poller for the next pollable: one after the other.
  Poller* Assign();

  // Steps 2 and 4, for pollers. `now` is SteadyNs(): of the callback's beginning; of a time when
  // the caller was in none.
  void NoteBusy(int64_t now) {
    if (!armed_.load(std::memory_order_seq_cst)) Arm(now + kLookNs);
  }
  void NoteProgress(int64_t now) {
    if (DueSoon(now)) PutOff(now);
  }

  // Whether fewer threads work than there are cores, with `besides` more; a working thread leaves
  // itself out with -1.
  bool HasFreeCore(int besides = 0) const;
  // Has a thread call Poller::Help(), or Poller::CannotHelp() when there is none.
  void Help(Poller* poller);

  // While it exists; it makes steps 1 to 3.
  void Enter(CallersQueue* queue);
  void Leave(CallersQueue* queue);

  const std::vector<std::unique_ptr<Poller>>& pollers() const { return pollers_; }
  // Helpers that came so far. relaxed: a number by itself.
  uint64_t hand_overs() const { return hand_overs_.load(std::memory_order_relaxed); }
  // Leaders replaced so far. relaxed: a number by itself.
  uint64_t takeovers() const { return takeovers_.load(std::memory_order_relaxed); }

 private:
  struct Offer {
    Poller* poller;
    enum { kLead, kHelpNew, kHelpWoken } what;
  };

  // A callback that runs for this long is taken to be blocked.
  static constexpr int64_t kBlockedNs = 2'000'000;
  static constexpr int64_t kLookNs = 2 * kBlockedNs;

  // Has the watchdog look at `due_ns`, or earlier.
  void Arm(int64_t due_ns);
  // relaxed: a hint; PutOff() asks again with the lock.
  bool DueSoon(int64_t now) const {
    return armed_.load(std::memory_order_relaxed) &&
           due_ns_.load(std::memory_order_relaxed) - now < kLookNs - kBlockedNs;
  }
  void PutOff(int64_t now);
  void SetTimer(int64_t due_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(timer_mu_);
  void Watch();
  // Replaces threads. Returns when to look at the others there that are in callbacks; kNever if
  // there are none.
  static constexpr int64_t kNever = INT64_MAX;
  int64_t Look(Poller& poller, int64_t now);
  int64_t LookAtCallers(int64_t now);
  // Has a thread lead `poller`: a waiting thread, else a new one. False when no thread can be
  // started: then the first thread to return from a blocked callback leads.
  bool Staff(Poller* poller);
  bool StartThread();
  void ServeOneAfterAnother();

  UniqueFd timer_;
  absl::Mutex timer_mu_;  // held to change `timer_` and both of these
  std::atomic<bool> armed_{false};
  std::atomic<int64_t> due_ns_{0};
  std::atomic<uint64_t> takeovers_{0};
  std::atomic<uint64_t> hand_overs_{0};
  std::atomic<uint32_t> next_{0};
  const int cores_;
  std::vector<std::unique_ptr<Poller>> pollers_;  // constant after the constructor

  absl::Mutex callers_mu_;
  std::vector<CallersQueue*> callers_ ABSL_GUARDED_BY(callers_mu_);
  std::atomic<int> caller_count_{0};  // relaxed: as Poller::MayBeInCallback()

  absl::Mutex mu_;
  std::deque<Offer> offers_ ABSL_GUARDED_BY(mu_);
  size_t idle_threads_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_POLLING_WATCHDOG_H_
