// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_POLLING_WORK_QUEUE_H_
#define GRPC_CXL_POLLING_WORK_QUEUE_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "grpc_cxl/base/ageing_queue.h"
#include "grpc_cxl/priority_level.h"

namespace grpc_cxl::internal {

// Closures and deferred work, each in the order of an AgeingQueue.
//
// Under its owner's lock, but for the sizes and oldest_ns(), which are hints without it.
class WorkQueue {
 public:
  using Work = absl::AnyInvocable<void()>;
  enum Kind { kClosure = 0, kDeferred = 1 };

  // oldest_ns() of an empty queue.
  static constexpr int64_t kNone = AgeingQueue<Work>::kNone;

  void Push(Kind kind, Work work, int64_t now_ns, Priority priority = Priority::kDefault) {
    items_[kind].Push(priority, std::move(work), now_ns);
    Changed(kind);
  }

  // The next of its kind that came at `latest_ns` at the latest; null if there is none.
  Work Pop(Kind kind, int64_t latest_ns) {
    std::optional<Work> work = items_[kind].Pop(latest_ns);
    if (!work.has_value()) return nullptr;
    Changed(kind);
    return *std::move(work);
  }

  bool empty() const { return size(kClosure) == 0 && size(kDeferred) == 0; }
  // relaxed: who needs to be sure takes the lock.
  size_t size(Kind kind) const { return sizes_[kind].load(std::memory_order_relaxed); }
  int64_t oldest_ns() const { return oldest_ns_.load(std::memory_order_relaxed); }

 private:
  void Changed(Kind kind) {
    sizes_[kind].store(items_[kind].size(), std::memory_order_relaxed);
    oldest_ns_.store(std::min(items_[kClosure].oldest_ns(), items_[kDeferred].oldest_ns()),
                     std::memory_order_relaxed);
  }

  AgeingQueue<Work> items_[2];
  std::atomic<size_t> sizes_[2]{};
  std::atomic<int64_t> oldest_ns_{kNone};
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_POLLING_WORK_QUEUE_H_
