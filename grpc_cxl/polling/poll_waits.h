// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_POLLING_POLL_WAITS_H_
#define GRPC_CXL_POLLING_POLL_WAITS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "grpc_cxl/base/counter.h"
#include "grpc_cxl/doorbell/spin_budget.h"

namespace grpc_cxl::internal {

// What a polling thread knows about its waits, for people. Written by that thread.
struct PollFigures {
  // Of the terms of the first connection. relaxed: each a number by itself.
  std::atomic<int> policy{-1};  // WaitPolicy; -1: none yet
  std::atomic<int64_t> wake_up_ns{0}, spin_ns{0};
  Counter waits, sleeps;
};

// The waits of a polling thread, from the end of one piece of work to the next. A thread that spins
// looks for all its connections and is woken for any of them, so the waits are the thread's and not
// those of each connection: many connections of which each is seldom used keep it spinning. Each
// set of terms that a connection brings has a budget of its own. Times are those of
// CLOCK_MONOTONIC. Not thread-safe.
class PollWaits {
 public:
  // The budget for connections with these terms, to the microsecond. Stays valid.
  const SpinBudget* Budget(WaitTerms terms);

  // A new leader begins.
  void Begin(int64_t now_ns);
  // A look at all there is found nothing.
  void FoundNothing() { waiting_ = true; }
  // The look that began at `look_ns` found work, which took until `now_ns`.
  void Worked(int64_t look_ns, int64_t now_ns);

  // Between two looks: the thread has offered the core to others, of which one had it for
  // `away_ns`; or it slept, and was woken at `woken_ns`, if that lies in between.
  void Yielded(int64_t away_ns);
  void Slept(int64_t from_ns, int64_t woken_ns, int64_t to_ns);

  const PollFigures& figures() const { return figures_; }

  // How long there has been no work.
  int64_t idle_ns(int64_t now_ns) const { return now_ns - begin_ns_; }

 private:
  std::vector<std::pair<WaitTerms, std::unique_ptr<SpinBudget>>> budgets_;
  const SpinBudget park_{WaitTerms{.policy = WaitPolicy::kPark}};  // for terms beyond many others
  int64_t begin_ns_ = 0;
  bool waiting_ = false;
  size_t shown_ = 0;  // whose figures are
  PastWait past_;
  alignas(64) PollFigures figures_;  // others read it
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_POLLING_POLL_WAITS_H_
