// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_CALLS_CALL_CAPACITY_H_
#define GRPC_CXL_CALLS_CALL_CAPACITY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/calls/gradient_limit.h"

namespace grpc_cxl::internal {

// How many direct calls a server runs at a time, on all of its connections (docs/protocol.md,
// 8.13).
//
//     posted --Enter()--> running --Leave()--> over
//        |                   ^
//        | no room           | the connection's BeginNext()
//        v                   |
//     waits -----------------+
//
// The server takes a call when it has room for it; until then the call lies in its client's slot.
// The other way, credits that the server gives out to clients, loses the part of those that rest,
// and a client that dies or lies keeps its own.
//
// Connections with waiting calls take turns, a call each. A call that comes while others wait waits
// behind them. Without a limit, and while nothing waits, no lock is taken. Thread-safe.
class CallCapacity {
 public:
  // A connection's calls that wait.
  class Connection {
   public:
    virtual ~Connection() = default;
    struct Begun {
      bool one;   // it runs, and has its place; false: none could be begun
      bool more;  // others wait
    };
    virtual Begun BeginNext() = 0;
  };

  CallCapacity() = default;
  CallCapacity(const CallCapacity&) = delete;
  CallCapacity& operator=(const CallCapacity&) = delete;

  // Calls at a time; 0: no limit. With less than run now, no other begins until enough have ended.
  void Set(uint32_t calls);
  // The same, unless Set() has been called; of several, the smallest that is not 0 counts.
  void SetAtFirst(uint32_t calls);
  // From now on the number is a bound, and the limit below it found by itself (GradientLimit).
  void Adapt();
  // A call has taken so long, and will Leave().
  void Measured(int64_t took_ns, int64_t now_ns);
  uint32_t limit() const { return limit_.load(std::memory_order_relaxed); }

  // Whether handlers hold their calls' places (CallPlace).
  void SetHandlersHold() { handlers_hold_.store(true, std::memory_order_relaxed); }
  bool HandlersHold() const { return handlers_hold_.load(std::memory_order_relaxed); }

  // Whether a call may begin now; Leave() must follow.
  bool Enter() { return waiting_.load(std::memory_order_seq_cst) == 0 && HasRoom(); }
  void Leave() {
    Release();
    BeginWaiting();
  }
  // The two parts of Leave().
  void Release(uint32_t calls = 1) { running_.fetch_sub(calls, std::memory_order_seq_cst); }
  void BeginWaiting() {
    if (waiting_.load(std::memory_order_seq_cst) > 0) TakeTurns();
  }

  // `connection`, which had none, has calls that wait; until its BeginNext() says that it has no
  // more.
  void Wait(std::weak_ptr<Connection> connection);

  // Of all connections; figures by themselves.
  uint32_t running() const { return running_.load(std::memory_order_relaxed); }
  void AddWaitingCalls(int64_t more) { waiting_calls_.fetch_add(more, std::memory_order_relaxed); }
  uint32_t under_way() const {
    return running() + static_cast<uint32_t>(waiting_calls_.load(std::memory_order_relaxed));
  }

 private:
  void SetBound(uint32_t calls) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HasRoom();
  void TakeTurns();

  // seq_cst, with `waiting_`: who ends a call sees that connections wait, or Wait() sees the room.
  std::atomic<uint32_t> running_{0};
  std::atomic<uint32_t> limit_{0};  // in the same way
  std::atomic<int64_t> waiting_calls_{0};
  std::atomic<bool> handlers_hold_{false};

  std::atomic<bool> adapts_{false};  // stored under mu_; relaxed: calls may be missed

  absl::Mutex mu_;
  bool is_set_ ABSL_GUARDED_BY(mu_) = false;
  uint32_t bound_ ABSL_GUARDED_BY(mu_) = 0;
  GradientLimit gradient_ ABSL_GUARDED_BY(mu_);
  std::deque<std::weak_ptr<Connection>> turns_ ABSL_GUARDED_BY(mu_);
  std::atomic<size_t> waiting_{0};  // its size; stored under mu_
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_CALLS_CALL_CAPACITY_H_
