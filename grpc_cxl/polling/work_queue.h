// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_POLLING_WORK_QUEUE_H_
#define GRPC_CXL_POLLING_WORK_QUEUE_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <utility>

#include "absl/functional/any_invocable.h"

namespace grpc_cxl::internal {

// Closures and deferred work, each first in, first out, with the times at which they came.
//
// Under its owner's lock, but for the sizes and oldest_ns(), which are hints without it.
class WorkQueue {
 public:
  using Work = absl::AnyInvocable<void()>;
  enum Kind { kClosure = 0, kDeferred = 1 };

  // oldest_ns() of an empty queue.
  static constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

  void Push(Kind kind, Work work, int64_t now_ns) {
    items_[kind].push_back({std::move(work), now_ns});
    Changed(kind);
  }

  // The oldest of its kind that came at `latest_ns` at the latest; null if there is none.
  Work Pop(Kind kind, int64_t latest_ns) {
    std::deque<Item>& items = items_[kind];
    if (items.empty() || items.front().since_ns > latest_ns) return nullptr;
    Work work = std::move(items.front().work);
    items.pop_front();
    Changed(kind);
    return work;
  }

  bool empty() const { return size(kClosure) == 0 && size(kDeferred) == 0; }
  // relaxed: who needs to be sure takes the lock.
  size_t size(Kind kind) const { return sizes_[kind].load(std::memory_order_relaxed); }
  int64_t oldest_ns() const { return oldest_ns_.load(std::memory_order_relaxed); }

 private:
  struct Item {
    Work work;
    int64_t since_ns;
  };

  void Changed(Kind kind) {
    sizes_[kind].store(items_[kind].size(), std::memory_order_relaxed);
    int64_t oldest = kNone;
    for (const std::deque<Item>& items : items_) {
      if (!items.empty()) oldest = std::min(oldest, items.front().since_ns);
    }
    oldest_ns_.store(oldest, std::memory_order_relaxed);
  }

  std::deque<Item> items_[2];
  std::atomic<size_t> sizes_[2]{};
  std::atomic<int64_t> oldest_ns_{kNone};
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_POLLING_WORK_QUEUE_H_
