// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_POLLING_CALLERS_QUEUE_H_
#define GRPC_CXL_POLLING_CALLERS_QUEUE_H_

#include <cstdint>
#include <deque>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/polling/seat.h"

namespace grpc_cxl::internal {

class Watchdog;

// The closures of a call that a thread runs itself, server's side included, instead of waiting for
// another thread: as those of a Poller, one after the other, each behind the closure that it came
// of. Not more than one call's: while this exists, an outer one of the thread is at rest, and
// what it holds has gone to `elsewhere`, since the inner call may wait for that.
//
// A closure may block for what waits behind it, so it has a Seat. When the watchdog vacates the
// seat, the closures go `elsewhere`, and this takes no more.
//
// For the thread that made it, which has it on its stack; the watchdog makes one call only.
class CallersQueue {
 public:
  using Closure = absl::AnyInvocable<void()>;

  // The innermost one of the calling thread; null where there is none.
  static CallersQueue* Current();

  // `elsewhere` runs a closure later; not here, where this is not the current one then. Both
  // outlive this.
  CallersQueue(Watchdog* watchdog, void (*elsewhere)(Closure));
  CallersQueue(const CallersQueue&) = delete;
  CallersQueue& operator=(const CallersQueue&) = delete;
  ~CallersQueue();

  // Takes the closure, unless the seat was vacated.
  bool Add(Closure& closure);
  // Runs closures until there are none, or `over()`: closures may bring others for ever.
  void Run(absl::FunctionRef<bool()> over);

  // For the watchdog.
  const Seat& seat() const { return seat_; }
  // Vacates the seat if the thread is still in the closure that `busy` counted; whether it was.
  bool VacateIfStuckIn(uint64_t busy);

 private:
  void HandOver();

  Watchdog* const watchdog_;
  void (*const elsewhere_)(Closure);
  CallersQueue* const outer_;
  Seat seat_;
  absl::Mutex mu_;
  std::deque<Closure> closures_ ABSL_GUARDED_BY(mu_);
  bool vacated_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_POLLING_CALLERS_QUEUE_H_
