// SPDX-License-Identifier: Apache-2.0
// Queued work, and the threads that help with it.

#include <sched.h>

#include <algorithm>
#include <utility>

#include "absl/log/check.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/polling/poller.h"
#include "grpc_cxl/polling/watchdog.h"

namespace grpc_cxl::internal {
namespace {

// Counts as the length of a wake-up that could not be had for want of a thread.
constexpr int64_t kNoThread = 10'000'000;  // ns

// A helper is for cores that nobody else wants, and must not be taken off one amid a piece of work.
int64_t GiveWay() {
  sched_yield();
  return SteadyNs();
}

}  // namespace

void Poller::Enqueue(absl::AnyInvocable<void()> closure) {
  const int64_t now = SteadyNs();
  absl::MutexLock lock(mu_);
  queue_.Push(WorkQueue::kClosure, std::move(closure), now);
  WakeLeader();
}

void Poller::Defer(std::vector<absl::AnyInvocable<void()>> work, Priority priority) {
  const int64_t now = SteadyNs();
  absl::MutexLock lock(mu_);
  for (WorkQueue::Work& piece : work) {
    queue_.Push(WorkQueue::kDeferred, std::move(piece), now, priority);
  }
  WakeLeader();
}

Poller::Turn Poller::RunQueue(Seat& seat) {
  // Only those queued so far: closures that enqueue others must not starve the connections.
  size_t left = queue_.size(WorkQueue::kClosure);
  if (left == 0) return Turn::kNothing;
  Turn turn = Turn::kNothing;
  int64_t start = SteadyNs();
  for (; left > 0; --left) {
    if (!IsLeader(seat)) start = GiveWay();
    WorkQueue::Work closure = Take(seat, WorkQueue::kClosure, start);
    if (closure == nullptr) break;
    const bool keeps = Call(seat, start, /*entry=*/nullptr, [&] {
      ClosureTimes::Timing timing(closure_times_, start);
      closure();
      closure = nullptr;
      start = timing.End();
    });
    if (!keeps) return Turn::kDeposed;
    turn = Turn::kProgress;
  }
  return turn;
}

Poller::Turn Poller::RunDeferred(Seat& seat) {
  if (!HasDeferred()) return Turn::kNothing;
  const int64_t now = IsLeader(seat) ? SteadyNs() : GiveWay();
  WorkQueue::Work work = Take(seat, WorkQueue::kDeferred, now);
  if (work == nullptr) return Turn::kNothing;
  const bool keeps = Call(seat, now, /*entry=*/nullptr, [&] {
    work();
    work = nullptr;
  });
  return keeps ? Turn::kProgress : Turn::kDeposed;
}

WorkQueue::Work Poller::Take(const Seat& seat, WorkQueue::Kind kind, int64_t now) {
  if (!IsLeader(seat) && !watchdog_->HasFreeCore(/*besides=*/-1)) return nullptr;
  WorkQueue::Work work;
  {
    absl::MutexLock lock(mu_);
    const int64_t latest = IsLeader(seat) ? WorkQueue::kNone : now - hand_over_.Patience(now);
    work = queue_.Pop(kind, latest);
    if (!NeedsHelp(now)) return work;
    invited_ns_ = SteadyNs();
    helpers_.fetch_add(1, std::memory_order_relaxed);
  }
  watchdog_->Help(this);
  return work;
}

bool Poller::NeedsHelp(int64_t now) const {
  return invited_ns_ == 0 && !queue_.empty() &&
         helpers_.load(std::memory_order_relaxed) + 1 < static_cast<int>(seats_.size()) &&
         now - queue_.oldest_ns() > hand_over_.Patience(now) && watchdog_->HasFreeCore();
}

void Poller::Help(bool woken) {
  const Helper helper = BecomeHelper(woken);
  Seat& seat = seats_[helper.seat];
  current_ = this;
  bool keeps = true;
  for (int64_t worked_ns = SteadyNs(); keeps && !queue_.empty();) {
    const int64_t now = SteadyNs();
    if (now - queue_.oldest_ns() > helper.patience_ns) {
      Turn turn = RunQueue(seat);
      if (turn != Turn::kDeposed) turn = std::max(turn, RunDeferred(seat));
      keeps = turn != Turn::kDeposed;
      if (turn == Turn::kProgress) worked_ns = SteadyNs();
      if (turn != Turn::kNothing) continue;
    }
    if (now - worked_ns > helper.lingers_ns) break;
    sched_yield();
  }
  current_ = nullptr;
  if (keeps) LeaveSeat(helper.seat);
}

Poller::Helper Poller::BecomeHelper(bool woken) {
  const int64_t now = SteadyNs();
  absl::MutexLock lock(mu_);
  if (woken) hand_over_.Note(now - invited_ns_, now);
  invited_ns_ = 0;
  size_t seat = 1;
  while (seat < taken_.size() && taken_[seat]) ++seat;
  CHECK_LT(seat, taken_.size()) << "more helpers than NeedsHelp() allows";
  taken_[seat] = true;
  return {seat, hand_over_.Patience(now), hand_over_.least_ns()};
}

void Poller::LeaveSeat(size_t seat) {
  absl::MutexLock lock(mu_);
  taken_[seat] = false;
  helpers_.fetch_sub(1, std::memory_order_relaxed);
}

void Poller::CannotHelp() {
  const int64_t now = SteadyNs();
  absl::MutexLock lock(mu_);
  hand_over_.Note(kNoThread, now);
  invited_ns_ = 0;
  helpers_.fetch_sub(1, std::memory_order_relaxed);
}

int Poller::working() const {
  return helpers_.load(std::memory_order_relaxed) +
         (seats_[0].in_callback() || !queue_.empty() ? 1 : 0);
}

bool Poller::VacateIfStuckIn(size_t seat, uint64_t busy) {
  if (!seats_[seat].VacateIfStuckIn(busy)) return false;
  if (seat > 0) LeaveSeat(seat);
  return seat == 0;
}

}  // namespace grpc_cxl::internal
