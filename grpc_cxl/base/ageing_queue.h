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
// An item that comes with an earlier time than others of its priority has them go earlier.
//
// Not thread-safe.
template <typename T>
class AgeingQueue {
 public:
  static constexpr int64_t kStepNs = 25'000'000;
  static constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

  void Push(Priority priority, T item, int64_t now_ns) {
    Level& level = levels_[IndexOf(priority)];
    level.items.push_back({std::move(item), now_ns});
    level.AddTime(now_ns);
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
      for (size_t i = 0; i < std::size(levels_); ++i) {
        const Level& level = levels_[i];
        if (asked[i] || level.items.empty() || level.oldest_ns() > latest_ns) continue;
        const int64_t counts = level.oldest_ns() + static_cast<int64_t>(i) * kStepNs;
        if (next < std::size(kPriorities) && counts >= least) continue;
        next = i;
        least = counts;
      }
      if (next == std::size(kPriorities)) return std::nullopt;
      if (may_go(kPriorities[next])) return levels_[next].Pop();
      asked[next] = true;
    }
  }
  // The first item for which `is_it` is true; nullopt if there is none. Takes time.
  template <typename Predicate>
  std::optional<T> Remove(Predicate is_it) {
    for (Level& level : levels_) {
      for (auto at = level.items.begin(); at != level.items.end(); ++at) {
        if (!is_it(std::as_const(at->item))) continue;
        std::optional<T> item = std::move(at->item);
        level.items.erase(at);
        level.oldest.clear();
        for (const Item& left : level.items) level.AddTime(left.since_ns);
        return item;
      }
    }
    return std::nullopt;
  }

  size_t size() const {
    size_t size = 0;
    for (const Level& level : levels_) size += level.items.size();
    return size;
  }
  bool empty() const { return size() == 0; }

  // When the item came that has waited for longest; kNone: there is no item.
  int64_t oldest_ns() const {
    int64_t oldest = kNone;
    for (const Level& level : levels_) {
      if (!level.items.empty()) oldest = std::min(oldest, level.oldest_ns());
    }
    return oldest;
  }

 private:
  struct Item {
    T item;
    int64_t since_ns;
  };
  struct Level {
    std::deque<Item> items;
    // Their times without those that an earlier one follows: the first is the earliest of all.
    std::deque<int64_t> oldest;

    int64_t oldest_ns() const { return oldest.front(); }
    void AddTime(int64_t since_ns) {
      while (!oldest.empty() && oldest.back() > since_ns) oldest.pop_back();
      oldest.push_back(since_ns);
    }
    std::optional<T> Pop() {
      if (items.front().since_ns == oldest.front()) oldest.pop_front();
      std::optional<T> item = std::move(items.front().item);
      items.pop_front();
      return item;
    }
  };

  static size_t IndexOf(Priority priority) {
    switch (priority) {
      case Priority::kInteractive:
        return 0;
      case Priority::kBulk:
        return 2;
      default:
        return 1;
    }
  }

  // The most urgent first.
  static constexpr Priority kPriorities[] = {Priority::kInteractive, Priority::kDefault,
                                             Priority::kBulk};
  Level levels_[std::size(kPriorities)];
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_BASE_AGEING_QUEUE_H_
