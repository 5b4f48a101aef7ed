// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/slot_queue.h"

#include <grpc/event_engine/event_engine.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "grpc_cxl/base/steady_clock.h"

namespace grpc_cxl::internal {
namespace {

using grpc_event_engine::experimental::GetDefaultEventEngine;

constexpr auto kLookAgain = std::chrono::milliseconds(2);

}  // namespace

bool SlotQueue::IsFull() const {
  const uint64_t capacity = calls_->capacity();
  if (capacity == 0) return false;
  const int busy = calls_->busy() + (streams_ == nullptr ? 0 : streams_->busy());
  return static_cast<size_t>(busy) + size() >= capacity + most_waiting_;
}

SlotQueue::Added SlotQueue::Add(uint64_t ticket, Waiter waiter) {
  if (IsFull()) calls_->FreeUnwanted();
  {
    absl::MutexLock lock(mu_);
    if (closed_) return Added::kClosed;
    if (IsFull()) return Added::kFull;
    waiters_.emplace(ticket, std::move(waiter));
    size_.store(waiters_.size(), std::memory_order_relaxed);
  }
  Serve();
  return Added::kYes;
}

void SlotQueue::Remove(uint64_t ticket) {
  Waiter dropped;
  absl::MutexLock lock(mu_);
  const auto found = waiters_.find(ticket);
  if (found == waiters_.end()) return;
  dropped = std::move(found->second);
  waiters_.erase(found);
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
    Waiter waiter;
    {
      absl::MutexLock lock(mu_);
      if (slot < 0) {
        if (!waiters_.empty()) ServeLater();
        if (std::exchange(again_, false)) continue;
        serving_ = false;
        return;
      }
      if (!waiters_.empty()) {
        waiter = std::move(waiters_.begin()->second);
        waiters_.erase(waiters_.begin());
        size_.store(waiters_.size(), std::memory_order_relaxed);
      }
    }
    if (waiter != nullptr && waiter(slot)) continue;
    calls_->Release(slot);
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
  std::map<uint64_t, Waiter> dropped;
  {
    absl::MutexLock lock(mu_);
    closed_ = true;
    dropped.swap(waiters_);
    size_.store(0, std::memory_order_relaxed);
  }
  if (dropped.empty()) return;
  // Elsewhere: they call into gRPC, which may have called this.
  GetDefaultEventEngine()->Run([dropped = std::move(dropped)]() mutable {
    for (auto& [ticket, waiter] : dropped) waiter(-1);
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
