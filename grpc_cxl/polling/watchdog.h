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
#include "grpc_cxl/polling/poller.h"
#include "grpc_cxl/polling/usable_cores.h"

namespace grpc_cxl::internal {

// The process's pollers, their threads, and the thread that keeps a blocking callback from
// stalling other connections: a leader that has been inside one callback for two ticks (2 to 4 ms)
// is replaced, and a helper has its place taken. The same threads serve as helpers (see Poller).
//
// The watchdog ticks only while a callback runs: an idle process does not wake up, and a seldom
// called process wakes up once a call, 2 ms after it. The pollers arm its timer:
//
//     poller                              watchdog, woken by the timer
//     1. busy := odd                      a. armed := false
//     2. if not armed, arm                b. load every busy; if any is odd, arm
//     3. callback()
//
// All four accesses are seq_cst. If 2 finds it armed, then 1 came before a in their total
// order, so b sees the callback; otherwise 2 arms. No callback goes unwatched.
//
// Lives as long as the process: never destroyed. Thread-safe.
class Watchdog {
 public:
  // Starts `pollers` (>= 1) polling threads and the watchdog's own. Of all threads, as many work at
  // once as there are `cores`. A thread that was replaced, or has lost its place, counts no more:
  // it is taken to be blocked, even if it computes. So callbacks that compute for longer than two
  // ticks, while others wait, have more threads than there are cores.
  explicit Watchdog(int pollers, int cores = UsableCores());
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // The poller for the next pollable: one after the other.
  Poller* Assign();

  // Step 2.
  void NoteBusy() {
    if (!armed_.load(std::memory_order_seq_cst)) Arm();
  }

  // Whether fewer threads work than there are cores, with `besides` more; a working thread leaves
  // itself out with -1.
  bool HasFreeCore(int besides = 0) const;
  // Has a thread call Poller::Help(), or Poller::CannotHelp() when there is none.
  void Help(Poller* poller);

  // Helpers that came so far. relaxed: a number by itself.
  uint64_t hand_overs() const { return hand_overs_.load(std::memory_order_relaxed); }
  // Leaders replaced so far. relaxed: a number by itself.
  uint64_t takeovers() const { return takeovers_.load(std::memory_order_relaxed); }

 private:
  struct Watched {
    std::unique_ptr<Poller> poller;
    std::vector<uint64_t> last_busy;  // of each seat; the watchdog's own
  };
  struct Offer {
    Poller* poller;
    enum { kLead, kHelpNew, kHelpWoken } what;
  };

  void Arm();
  void Watch();
  // Whether a callback runs there.
  bool Look(Watched& watched);
  // Has a thread lead `poller`: a waiting thread, else a new one. False when no thread can be
  // started: then the first thread to return from a blocked callback leads.
  bool Staff(Poller* poller);
  bool StartThread();
  void ServeOneAfterAnother();

  UniqueFd timer_;
  std::atomic<bool> armed_{false};
  std::atomic<uint64_t> takeovers_{0};
  std::atomic<uint64_t> hand_overs_{0};
  std::atomic<uint32_t> next_{0};
  const int cores_;
  std::vector<Watched> watched_;  // constant after the constructor but for last_busy

  absl::Mutex mu_;
  std::deque<Offer> offers_ ABSL_GUARDED_BY(mu_);
  size_t idle_threads_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_POLLING_WATCHDOG_H_
