// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_WAITING_CALLS_H_
#define GRPC_CXL_DIRECT_WAITING_CALLS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <optional>

#include "grpc_cxl/calls/server_calls.h"

namespace grpc_cxl::internal {

// The calls of a connection for which its server has no room yet (CallCapacity), in the order in
// which they will be taken: that of their numbers, and of equal numbers that in which the server
// has seen them. At most as many as there are slots. Not thread-safe.
class WaitingCalls {
 public:
  struct Call {
    ServerCalls::CallId id;
    int64_t seen_ns;
  };

  void Add(const Call& call) {
    auto at = calls_.end();  // nearly always there
    while (at != calls_.begin() &&
           static_cast<int32_t>(call.id.number - std::prev(at)->id.number) < 0) {
      --at;
    }
    calls_.insert(at, call);
  }
  // Nullopt: none waits.
  std::optional<Call> Next() {
    if (calls_.empty()) return std::nullopt;
    const Call next = calls_.front();
    calls_.pop_front();
    return next;
  }
  // Does nothing if it does not wait.
  void Remove(ServerCalls::CallId id) {
    std::erase_if(calls_, [id](const Call& call) {
      return call.id.slot == id.slot && call.id.generation == id.generation;
    });
  }
  size_t size() const { return calls_.size(); }

 private:
  std::deque<Call> calls_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_WAITING_CALLS_H_
