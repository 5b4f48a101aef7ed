// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_WAITING_CALLS_H_
#define GRPC_CXL_DIRECT_WAITING_CALLS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <optional>

#include "grpc_cxl/calls/server_calls.h"
#include "grpc_cxl/priority_level.h"

namespace grpc_cxl::internal {

// The calls of a connection for which its server has no room yet (CallCapacity). Those of a
// priority will be taken in the order of their numbers, and of equal numbers in that in which the
// server has seen them. At most as many as there are slots. Not thread-safe.
class WaitingCalls {
 public:
  struct Call {
    ServerCalls::CallId id;
    int64_t seen_ns;
  };
  static constexpr Priority kPriorities[] = {Priority::kInteractive, Priority::kDefault,
                                             Priority::kBulk};

  void Add(const Call& call) {
    std::deque<Call>& calls = calls_[Index(call.id.priority)];
    auto at = calls.end();  // nearly always there
    while (at != calls.begin() &&
           static_cast<int32_t>(call.id.number - std::prev(at)->id.number) < 0) {
      --at;
    }
    calls.insert(at, call);
  }
  // The one to be taken next; nullopt: none waits.
  std::optional<Call> Next(Priority priority) {
    std::deque<Call>& calls = calls_[Index(priority)];
    if (calls.empty()) return std::nullopt;
    const Call next = calls.front();
    calls.pop_front();
    return next;
  }
  // Since when that one has waited; 0: none does.
  int64_t since_ns(Priority priority) const {
    const std::deque<Call>& calls = calls_[Index(priority)];
    return calls.empty() ? 0 : calls.front().seen_ns;
  }
  // Does nothing if it does not wait.
  void Remove(ServerCalls::CallId id) {
    for (std::deque<Call>& calls : calls_) {
      std::erase_if(calls, [id](const Call& call) {
        return call.id.slot == id.slot && call.id.generation == id.generation;
      });
    }
  }
  size_t size() const {
    size_t size = 0;
    for (const std::deque<Call>& calls : calls_) size += calls.size();
    return size;
  }
  size_t size(Priority priority) const { return calls_[Index(priority)].size(); }

 private:
  static size_t Index(Priority priority) { return static_cast<size_t>(priority); }

  std::deque<Call> calls_[std::size(kPriorities)];
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_WAITING_CALLS_H_
