// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_WAITING_CALLS_H_
#define GRPC_CXL_DIRECT_WAITING_CALLS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <limits>
#include <optional>

#include "grpc_cxl/base/ageing_queue.h"
#include "grpc_cxl/calls/server_calls.h"
#include "grpc_cxl/priority_level.h"

namespace grpc_cxl::internal {

// The calls of a connection for which its server has no room yet (CallCapacity). Those of a
// priority are taken in the order of their numbers, and of equal numbers in that in which the
// server has seen them; more urgent ones pass others as in an AgeingQueue, which knows no numbers
// and lets nothing be taken out. At most as many as there are slots. Not thread-safe.
class WaitingCalls {
 public:
  struct Call {
    ServerCalls::CallId id;
    int64_t seen_ns;
  };

  void Add(const Call& call) {
    Calls& calls = levels_[LevelOf(call.id.priority)];
    auto at = calls.end();  // nearly always there
    while (at != calls.begin() &&
           static_cast<int32_t>(call.id.number - std::prev(at)->id.number) < 0) {
      --at;
    }
    calls.insert(at, call);
  }
  // Nullopt: none waits.
  std::optional<Call> Next() {
    Calls* next = nullptr;
    int64_t least = std::numeric_limits<int64_t>::max();
    for (size_t level = 0; level < std::size(levels_); ++level) {
      if (levels_[level].empty()) continue;
      const int64_t counts = levels_[level].front().seen_ns + static_cast<int64_t>(level) * kStepNs;
      if (next != nullptr && counts >= least) continue;
      next = &levels_[level];
      least = counts;
    }
    if (next == nullptr) return std::nullopt;
    const Call call = next->front();
    next->pop_front();
    return call;
  }
  // Does nothing if it does not wait.
  void Remove(ServerCalls::CallId id) {
    for (Calls& calls : levels_) {
      std::erase_if(calls, [id](const Call& call) {
        return call.id.slot == id.slot && call.id.generation == id.generation;
      });
    }
  }
  size_t size() const { return levels_[0].size() + levels_[1].size() + levels_[2].size(); }

 private:
  using Calls = std::deque<Call>;
  static constexpr int64_t kStepNs = AgeingQueue<Call>::kStepNs;

  static size_t LevelOf(Priority priority) {
    return priority == Priority::kInteractive ? 0 : priority == Priority::kBulk ? 2 : 1;
  }

  Calls levels_[3];  // the most urgent first
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_WAITING_CALLS_H_
