// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BASE_AGEING_QUEUE_H_
#define GRPC_CXL_BASE_AGEING_QUEUE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

#include "grpc_cxl/priority_level.h"

namespace grpc_cxl::internal {

// Items of all priorities, each first in, first out. A more urgent one passes others, but only
// those that came less than kStepNs before it for each level between the two: an item waits no
// longer than one would that came two steps later to a queue without priorities.
//
//   came      0 ms: bulk       10 ms: interactive    30 ms: default
//   counts   50 ms             10 ms                 55 ms            the least goes first
//
// Not thread-safe.
template <typename T>
class AgeingQueue {
 public:
  static constexpr int64_t kStepNs = 25'000'000;
  static constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

  void Push(Priority priority, T item, int64_t now_ns) {
    Level(priority).push_back({std::move(item), now_ns});
  }

  // The next of those that came at `latest_ns` at the latest; nullopt if there is none.
  std::optional<T> Pop(int64_t latest_ns = kNone) {
    return PopIf([](Priority) { return true; }, latest_ns);
  }
  // The same of the priorities that `may_go` is true for. It is asked for one after the other, in
  // the order in which they are next, until it is.
  template <typename Predicate>
  std::optional<T> PopIf(Predicate may_go, int64_t latest_ns = kNone) {
    bool asked[std::size(kPriorities)] = {};
    for (;;) {
      size_t next = std::size(kPriorities);
      int64_t least = kNone;
      for (size_t level = 0; level < std::size(levels_); ++level) {
        const Items& items = levels_[level];
        if (asked[level] || items.empty() || items.front().since_ns > latest_ns) continue;
        const int64_t counts = items.front().since_ns + static_cast<int64_t>(level) * kStepNs;
        if (next < std::size(kPriorities) && counts >= least) continue;
        next = level;
        least = counts;
      }
      if (next == std::size(kPriorities)) return std::nullopt;
      if (may_go(kPriorities[next])) {
        std::optional<T> item = std::move(levels_[next].front().item);
        levels_[next].pop_front();
        return item;
      }
      asked[next] = true;
    }
  }

  size_t size() const {
    size_t size = 0;
    for (const Items& items : levels_) size += items.size();
    return size;
  }

  // When the item came that has waited for longest; kNone: there is no item.
  int64_t oldest_ns() const {
    int64_t oldest = kNone;
    for (const Items& items : levels_) {
      if (!items.empty()) oldest = std::min(oldest, items.front().since_ns);
    }
    return oldest;
  }

 private:
  struct Item {
    T item;
    int64_t since_ns;
  };
  using Items = std::deque<Item>;

  Items& Level(Priority priority) {
    switch (priority) {
      case Priority::kInteractive:
        return levels_[0];
      case Priority::kBulk:
        return levels_[2];
      default:
        return levels_[1];
    }
  }

  // The most urgent first.
  static constexpr Priority kPriorities[] = {Priority::kInteractive, Priority::kDefault,
                                             Priority::kBulk};
  Items levels_[std::size(kPriorities)];
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_BASE_AGEING_QUEUE_H_
