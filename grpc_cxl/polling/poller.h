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
#include "grpc_cxl/polling/poll_waits.h"
#include "grpc_cxl/polling/pollable.h"

namespace grpc_cxl::internal {

class Watchdog;

// Serves many pollables with one thread at a time, the leader. Enqueued closures run on the leader
// as well, one after the other, right after the callback that enqueued them: no hop to another
// thread.
//
// A callback may block (a handler that sleeps, or waits for another call). Then the
// watchdog deposes the leader: another thread leads from where it was, and the old leader
// leaves when its callback returns. The thread that changes `busy` from the callback's odd number
// to the next even one leads:
//
//     leader                      watchdog                    next leader
//     busy := odd
//     callback() ...              sees the same odd twice:
//                                 busy: odd -> even, asks
//                                 for a thread                polls on
//     ... returns, cannot
//     change busy, gives its
//     pollable back, leaves
//
// A pollable whose peer cannot wake us is hot like the others, and then naps: the leader looks
// at all that nap together, after 5 us, 10 us, ... 1 ms. While there are any, an idle poller
// wakes a thousand times a second, 2.6 % of a core was measured, however many they are.
//
// Thread-safe.
class Poller {
 public:
  // `watchdog` must outlive this object and is told before every callback.
  explicit Poller(Watchdog* watchdog);
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

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

  // Runs `closure` on the leader, after its current callback.
  void Enqueue(absl::AnyInvocable<void()> closure);

  // Runs `work` on the leader, in order, but only while no closure is queued: the closures that a
  // piece enqueues run before the next piece begins, which finds the processor's cache as the
  // piece left it.
  void Defer(std::vector<absl::AnyInvocable<void()>> work);
  // Whether deferred work has not begun. Does not take the lock.
  bool HasDeferred() const { return deferred_count_.load(std::memory_order_relaxed) > 0; }

  // Of enqueued closures, and of closures handed over because they are long.
  ClosureTimes& closure_times() { return closure_times_; }

  // Polls until deposed. For the threads that the watchdog keeps.
  void Lead();

  // For the watchdog. The number is odd while a callback runs, and changes with each.
  uint64_t busy() const { return busy_.load(std::memory_order_seq_cst); }
  // Deposes the leader if it is still in the callback that `busy` counted: true, and another
  // thread must Lead().
  bool DeposeIfStuckIn(uint64_t busy);

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

  // The result of one turn of the leader.
  enum class Turn { kNothing, kProgress, kDeposed };
  // Calls `callback` without the lock; false when the leader was deposed meanwhile. `entry` is the
  // callback's pollable; null for closures.
  bool Call(const std::shared_ptr<Entry>& entry, absl::FunctionRef<void()> callback);
  Turn RunQueue();
  Turn RunDeferred();
  Turn RunReadable();
  Turn RunHot();
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

  Watchdog* const watchdog_;
  const pid_t owner_ = getpid();
  UniqueFd epoll_;
  UniqueFd poke_;  // eventfd that ends the leader's sleep; never leaves the process

  absl::Mutex mu_;
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) = 1;
  std::unordered_map<uint64_t, std::shared_ptr<Entry>> entries_ ABSL_GUARDED_BY(mu_);
  std::deque<absl::AnyInvocable<void()>> queue_ ABSL_GUARDED_BY(mu_);
  std::deque<absl::AnyInvocable<void()>> deferred_ ABSL_GUARDED_BY(mu_);
  // Pollables in whose callback a leader was deposed: due for another OnFdReadable().
  std::vector<std::shared_ptr<Entry>> again_ ABSL_GUARDED_BY(mu_);
  bool sleeping_ ABSL_GUARDED_BY(mu_) = false;  // the leader needs a poke
  int64_t poked_ns_ ABSL_GUARDED_BY(mu_) = 0;   // when it last got it

  // Sizes of queue_ and deferred_, loaded without the lock. Stored under mu_, relaxed: the leader
  // takes mu_ before it sleeps.
  std::atomic<size_t> queued_{0};
  std::atomic<size_t> deferred_count_{0};
  // See busy(). From even to odd by the leader alone.
  std::atomic<uint64_t> busy_{0};
  ClosureTimes closure_times_;

  // Touched by the leader outside callbacks only; handed over through busy_.
  std::deque<absl::AnyInvocable<void()>> running_;  // taken out of queue_
  std::vector<std::shared_ptr<Entry>> hot_;
  std::deque<std::shared_ptr<Entry>> readable_;  // reported by epoll, not yet told
  std::vector<std::shared_ptr<Entry>> napping_;  // cannot wake us; not hot
  PollWaits waits_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_POLLING_POLLER_H_
