// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/slot_queue.h"

#include <grpc/event_engine/event_engine.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <utility>

#include "grpc_cxl/base/steady_clock.h"

namespace grpc_cxl::internal {
namespace {

using grpc_event_engine::experimental::GetDefaultEventEngine;

constexpr auto kLookAgain = std::chrono::milliseconds(2);

}  // namespace

bool SlotQueue::IsFull(Priority priority) const {
  const uint64_t capacity = calls_->capacity();
  if (capacity == 0) return false;
  const size_t most = priority == Priority::kBulk ? (most_waiting_ + 1) / 2 : most_waiting_;
  const int busy = calls_->busy() + (streams_ == nullptr ? 0 : streams_->busy());
  return static_cast<size_t>(busy) + size() >= capacity + most;
}

SlotQueue::Added SlotQueue::Add(uint64_t ticket, Priority priority, Waiter waiter) {
  if (IsFull(priority)) calls_->FreeUnwanted();
  {
    absl::MutexLock lock(mu_);
    if (closed_) return Added::kClosed;
    if (IsFull(priority)) return Added::kFull;
    waiters_.Push(priority, {ticket, std::move(waiter)}, SteadyNs());
    size_.store(waiters_.size(), std::memory_order_relaxed);
  }
  Serve();
  return Added::kYes;
}

void SlotQueue::Remove(uint64_t ticket) {
  std::optional<Waiting> dropped;
  absl::MutexLock lock(mu_);
  dropped = waiters_.Remove([ticket](const Waiting& one) { return one.ticket == ticket; });
  size_.store(waiters_.size(), std::memory_order_relaxed);
}

void SlotQueue::Serve() {
  {
    absl::MutexLock lock(mu_);
    // Not from inside of itself either: each call would begin on the stack of the one before.
    if (serving_) {
      again_ = true;
      return;
    }
    serving_ = true;
  }
  for (;;) {
    {
      absl::MutexLock lock(mu_);
      if (waiters_.empty()) {
        if (std::exchange(again_, false)) continue;
        serving_ = false;
        return;
      }
    }
    // With no lock held: it may free the slots of one-way calls that are over, which calls Next().
    const int slot = calls_->Acquire();
    std::optional<Waiting> next;
    {
      absl::MutexLock lock(mu_);
      if (slot < 0) {
        if (!waiters_.empty()) ServeLater();
        if (std::exchange(again_, false)) continue;
        serving_ = false;
        return;
      }
      next = waiters_.Pop();
      size_.store(waiters_.size(), std::memory_order_relaxed);
    }
    if (!next.has_value() || !next->waiter(slot)) calls_->Release(slot);
    // In any case: the call may have been given up, or taken the stream path, with the slot in
    // hand.
    if (const auto owner = owner_.lock()) owner->UserIdle();
  }
}

void SlotQueue::ServeLater() {
  if (std::exchange(later_, true)) return;
  GetDefaultEventEngine()->RunAfter(kLookAgain, [weak = weak_from_this()] {
    const std::shared_ptr<SlotQueue> self = weak.lock();
    const auto owner = self == nullptr ? nullptr : self->owner_.lock();
    if (owner == nullptr) return;
    {
      absl::MutexLock lock(self->mu_);
      self->later_ = false;
    }
    self->Next();
  });
}

void SlotQueue::Close() {
  {
    absl::MutexLock lock(mu_);
    closed_ = true;
  }
  SendAway();
}

void SlotQueue::SendAway() {
  AgeingQueue<Waiting> all;
  {
    absl::MutexLock lock(mu_);
    all = std::exchange(waiters_, {});
    size_.store(0, std::memory_order_relaxed);
  }
  if (all.empty()) return;
  // Elsewhere: they call into gRPC, which may have called this.
  GetDefaultEventEngine()->Run([all = std::move(all)]() mutable {
    while (std::optional<Waiting> next = all.Pop()) next->waiter(-1);
  });
}

int64_t SlotQueue::PushbackMs() {
  constexpr int64_t kSampleNs = 50'000'000, kForgetNs = 1'000'000'000, kUnknownMs = 100,
                    kMostMs = 60'000;
  absl::MutexLock lock(mu_);
  const int64_t now = SteadyNs();
  const auto busy = static_cast<uint64_t>(calls_->busy());
  const uint64_t posts = calls_->posts();
  const uint64_t over = posts - std::min(posts, busy);
  if (over_at_ns_ == 0 || now - over_at_ns_ > kSampleNs) {
    // A pace of long ago, or of a rest, says nothing.
    if (over_at_ns_ == 0 || now - over_at_ns_ > kForgetNs) {
      ns_per_call_ = 0;
    } else if (over > over_) {
      ns_per_call_ = static_cast<double>(now - over_at_ns_) / static_cast<double>(over - over_);
    }
    over_at_ns_ = now;
    over_ = over;
  }
  if (ns_per_call_ == 0) return kUnknownMs;
  const double calls = static_cast<double>(busy + waiters_.size());
  return std::clamp<int64_t>(std::llround(calls * ns_per_call_ / 1e6), 1, kMostMs);
}

}  // namespace grpc_cxl::internal
