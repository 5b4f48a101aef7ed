// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_POLLING_POLLER_H_
#define GRPC_CXL_POLLING_POLLER_H_

#include <sys/epoll.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/doorbell/back_off.h"
#include "grpc_cxl/polling/closure_times.h"
#include "grpc_cxl/polling/hand_over_time.h"
#include "grpc_cxl/polling/poll_waits.h"
#include "grpc_cxl/polling/pollable.h"
#include "grpc_cxl/polling/seat.h"
#include "grpc_cxl/polling/work_queue.h"
#include "grpc_cxl/priority_level.h"

namespace grpc_cxl::internal {

class Watchdog;

// Serves many pollables with one thread, the leader. Enqueued closures and deferred work run on the
// leader as well, one after the other, right after the callback that they came of: no hop to
// another thread.
//
// Three rules keep that fair:
//
// * A turn of the leader runs the closures that are queued when it begins, begins one piece of
//   deferred work, and looks at the pollables. None of the three waits for another to run dry.
// * A callback may block (a handler that sleeps, or waits for another call). Then the watchdog
//   vacates the leader's Seat: another thread leads from where it was, and the old leader leaves
//   when its callback returns. It gives its pollable back to the new one.
// * Work that has waited for longer than it takes to wake a thread (HandOverTime) goes to helpers,
//   while a core is free for them:
//
//       leader, or a helper              pool of threads                 a helper
//       takes a piece; the next one
//       waits for too long: invites
//       (one invitation at a time)       wakes a thread, or starts one
//       runs its piece                                                   takes a Seat; notes how
//                                                                        long that took
//                                                                        takes what has waited
//                                                                        for too long, runs it
//
//   The queue is all that leader and helpers share, under `mu_`. A helper takes one piece at a time
//   and holds nothing between two, so no more than that piece is lost when it blocks: the watchdog
//   vacates its Seat, and its place is free for the next. Before each piece it gives way to other
//   threads (sched_yield), so it is seldom taken off its core amid one, which would delay that call
//   by milliseconds. It leaves when nothing is queued, or when there was nothing for it for as long
//   as a wake-up takes.
//
//   A core is free while fewer threads of the process's pollers are in callbacks than the process
//   has cores (UsableCores); those whose Seat was vacated do not count. Other threads and processes
//   are not counted; where they take the cores, wake-ups take long, and nothing is handed over.
//
// So closures, and pieces of deferred work of one priority, begin in order, but run beside each
// other and beside the callback that they came of: gRPC's EventEngine::Run() promises no order, and
// calls of a connection do not depend on each other. Callbacks of pollables are the leader's alone.
// (Beside a leader that was stuck, the next one may call the same pollable.)
//
// A pollable whose peer cannot wake us is hot like the others, and then naps: the leader looks
// at all that nap together, after 5 us, 10 us, ... 1 ms. While there are any, an idle poller
// wakes a thousand times a second, 2.6 % of a core was measured, however many they are.
//
// Thread-safe.
class Poller {
 public:
  // `watchdog` must outlive this object and is told before every callback. At most `helpers`
  // threads run work beside the leader.
  Poller(Watchdog* watchdog, int helpers);
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  Watchdog* watchdog() const { return watchdog_; }

  // The poller whose callback or closure the calling thread is in; null elsewhere.
  static Poller* Current();
  // Tells one callback or closure of the calling thread from the next; 0 outside of them.
  static uint64_t CurrentCallback();

  // Starts and ends serving `pollable`. When Remove() returns, an OnFdReadable() or
  // Run() that was under way may still be running, but no other follows; the poller's
  // reference is dropped soon. Both do nothing in a forked child, which shares the epoll set with
  // its parent and has no thread that polls.
  //
  // Add() is false, and nothing is served, when the kernel watches no more descriptors for this
  // user (fs.epoll.max_user_watches) or has no memory for it.
  bool Add(std::shared_ptr<Pollable> pollable);
  void Remove(const Pollable* pollable);

  // Runs `closure` after the current callback, on the leader or a helper.
  void Enqueue(absl::AnyInvocable<void()> closure);

  // Runs `work` as well, begun in the order of an AgeingQueue, one piece a turn: the closures that
  // a piece enqueues run before the next piece begins, which finds the processor's cache as the
  // piece left it.
  void Defer(std::vector<absl::AnyInvocable<void()>> work, Priority priority = Priority::kDefault);
  // Whether deferred work has not begun. Does not take the lock.
  bool HasDeferred() const { return queue_.size(WorkQueue::kDeferred) > 0; }

  // For people.
  const PollFigures& figures() const { return waits_.figures(); }

  // Of enqueued closures, and of closures handed over because they are long.
  ClosureTimes& closure_times() { return closure_times_; }

  // Polls until its seat is vacated. For the threads that the watchdog keeps.
  void Lead();
  // Runs work that has waited for too long. For the same threads, once for each
  // Watchdog::Help(). `woken`: the thread is one that slept, not a new one.
  void Help(bool woken);
  // There is no thread for the last invitation.
  void CannotHelp();

  // For the watchdog, all of these. The leader's seat is the first.
  size_t seats() const { return seats_.size(); }
  const Seat& seat(size_t i) const { return seats_[i]; }
  // Vacates the seat if its thread is still in the callback that `busy` counted. True for the
  // leader's: another thread must Lead().
  bool VacateIfStuckIn(size_t seat, uint64_t busy);
  // How many threads are in callbacks, about to be, or invited for that.
  int working() const;
  // Whether a callback runs, or there is a helper, which may begin one. (One that came just now may
  // be missed: see `helpers_`.)
  bool MayBeInCallback() const {
    return seats_[0].in_callback() || helpers_.load(std::memory_order_relaxed) > 0;
  }

 private:
  struct Entry {
    std::shared_ptr<Pollable> pollable;
    uint64_t id = 0;
    std::atomic<bool> removed{false};
    // Of the leader:
    bool hot = false;
    const SpinBudget* budget = nullptr;  // set while it is hot
    int64_t active_ns = 0;               // when work was last found; while it naps, the last look
    BackOff naps;                        // if it cannot wake us
    int64_t look_ns = 0;                 // when to look at it again, while it naps
  };

  // The result of one turn.
  enum class Turn { kNothing, kProgress, kDeposed };  // in the order of std::max()
  // Calls `callback` without the lock; false when the seat was vacated meanwhile. `entry` is the
  // callback's pollable; null for closures. `now` is SteadyNs().
  bool Call(Seat& seat, int64_t now, const std::shared_ptr<Entry>& entry,
            absl::FunctionRef<void()> callback);
  // Takes the oldest piece of work for `seat`, and has a helper woken when the next one waits for
  // too long. A helper gets only such pieces itself.
  WorkQueue::Work Take(const Seat& seat, WorkQueue::Kind kind, int64_t now);
  bool NeedsHelp(int64_t now) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  Turn RunQueue(Seat& seat);
  Turn RunDeferred(Seat& seat);
  bool IsLeader(const Seat& seat) const { return &seat == &seats_[0]; }
  // A helper's place, how long the work has waited that it takes, and for how long it waits for
  // more.
  struct Helper {
    size_t seat;
    int64_t patience_ns, lingers_ns;
  };
  Helper BecomeHelper(bool woken);
  void LeaveSeat(size_t seat);
  Turn RunReadable(Seat& seat);
  Turn RunHot(Seat& seat);
  // Has the leader look at a pollable that did not need it so far.
  void Heat(const std::shared_ptr<Entry>& entry, int64_t now);
  // Puts pollables to sleep for which there was no work for long enough.
  void Cool(int64_t now);
  // Looks at napping pollables whose time has come.
  void LookAtNapping(int64_t now);
  // Collects events; sleeps until there are any unless there is other work.
  void WaitForEvents(bool may_sleep, int64_t now);
  // Waits for `timeout_ns`; without end when negative.
  int Wait(epoll_event* events, int most, int64_t timeout_ns);
  void WakeLeader() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  static thread_local Poller* current_;
  static thread_local uint64_t callbacks_;  // of this thread

  Watchdog* const watchdog_;
  const pid_t owner_ = getpid();
  UniqueFd epoll_;
  UniqueFd poke_;  // eventfd that ends the leader's sleep; never leaves the process

  absl::Mutex mu_;
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) = 1;
  std::unordered_map<uint64_t, std::shared_ptr<Entry>> entries_ ABSL_GUARDED_BY(mu_);
  // Pollables in whose callback a leader was deposed: due for another OnFdReadable().
  std::vector<std::shared_ptr<Entry>> again_ ABSL_GUARDED_BY(mu_);
  bool sleeping_ ABSL_GUARDED_BY(mu_) = false;  // the leader needs a poke
  int64_t poked_ns_ ABSL_GUARDED_BY(mu_) = 0;   // when it last got it

  WorkQueue queue_;  // changed under mu_
  HandOverTime hand_over_ ABSL_GUARDED_BY(mu_);
  int64_t invited_ns_ ABSL_GUARDED_BY(mu_) = 0;   // 0: no invitation is under way
  std::vector<bool> taken_ ABSL_GUARDED_BY(mu_);  // seats; the leader's always is

  std::vector<Seat> seats_;
  // Helpers with a seat, and the one invited. Stored under mu_, relaxed: working() is a hint.
  std::atomic<int> helpers_{0};
  ClosureTimes closure_times_;

  // Touched by the leader outside callbacks only; handed over through its seat.
  std::vector<std::shared_ptr<Entry>> hot_;
  std::deque<std::shared_ptr<Entry>> readable_;  // reported by epoll, not yet told
  std::vector<std::shared_ptr<Entry>> napping_;  // cannot wake us; not hot
  PollWaits waits_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_POLLING_POLLER_H_
