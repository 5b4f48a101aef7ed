// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_CALLS_CALL_CAPACITY_H_
#define GRPC_CXL_CALLS_CALL_CAPACITY_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/base/ageing_queue.h"
#include "grpc_cxl/calls/gradient_limit.h"
#include "grpc_cxl/priority_level.h"

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
// More urgent calls first, as in an AgeingQueue, and at most half of the limit for bulk calls, one
// at least. Connections with waiting calls of one priority take turns, a call each. A call that
// comes while others wait is queued with them; it is not if these are bulk calls that wait for
// others of their half, and it is no bulk call. Without a limit, and while nothing waits, no lock
// is taken. Thread-safe.
class CallCapacity {
 public:
  // A connection's calls that wait.
  class Connection {
   public:
    virtual ~Connection() = default;
    struct Begun {
      bool one = false;      // it runs, and has its place; false: none could be begun
      bool more = false;     // others wait
      int64_t since_ns = 0;  // the first of them
    };
    // Of this priority.
    virtual Begun BeginNext(Priority priority) = 0;
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
  bool Enter(Priority priority = Priority::kDefault) {
    const uint64_t waiting = waiting_.load(std::memory_order_seq_cst);
    if (waiting != 0 && (priority == Priority::kBulk || Others(waiting) != 0 || BulkMayBegin())) {
      return false;
    }
    return HasRoom(priority);
  }
  void Leave(Priority priority = Priority::kDefault) {
    Release(1, priority);
    BeginWaiting();
  }
  // The two parts of Leave().
  void Release(uint32_t calls = 1, Priority priority = Priority::kDefault) {
    running_.fetch_sub(calls * Part(priority), std::memory_order_seq_cst);
  }
  void BeginWaiting() {
    if (waiting_.load(std::memory_order_seq_cst) > 0) TakeTurns();
  }

  // `connection`, which had none of this priority, has calls that wait, the first since `since_ns`;
  // until its BeginNext() says that it has no more.
  void Wait(std::weak_ptr<Connection> connection, Priority priority = Priority::kDefault,
            int64_t since_ns = 0);

  // Of all connections; figures by themselves.
  uint32_t running() const {
    return static_cast<uint32_t>(running_.load(std::memory_order_relaxed));
  }
  void AddWaitingCalls(int64_t more) { waiting_calls_.fetch_add(more, std::memory_order_relaxed); }
  uint32_t under_way() const {
    return running() + static_cast<uint32_t>(waiting_calls_.load(std::memory_order_relaxed));
  }

 private:
  struct Turn {
    std::weak_ptr<Connection> connection;
    Priority priority;
  };

  // A number and, of that, how many are bulk: together in one word, as bulk * 2^32 + all.
  static constexpr uint64_t Part(Priority priority) {
    return priority == Priority::kBulk ? (uint64_t{1} << 32) + 1 : 1;
  }
  static constexpr uint32_t All(uint64_t word) { return static_cast<uint32_t>(word); }
  static constexpr uint32_t Bulk(uint64_t word) { return static_cast<uint32_t>(word >> 32); }
  static constexpr uint32_t Others(uint64_t word) { return All(word) - Bulk(word); }
  static constexpr uint32_t Half(uint32_t limit) { return limit < 2 ? 1 : limit / 2; }
  // Whether a bulk call has room once there is room for any call.
  bool BulkMayBegin() const {
    const uint32_t limit = limit_.load(std::memory_order_seq_cst);
    return limit == 0 || Bulk(running_.load(std::memory_order_seq_cst)) < Half(limit);
  }

  void SetBound(uint32_t calls) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HasRoom(Priority priority);
  void TakeTurns();
  void AddTurn(Turn turn, int64_t since_ns);
  // The next turn for which there is room, which it then has.
  std::optional<Turn> TakeTurn();

  // seq_cst, with `waiting_`: who ends a call sees that connections wait, or Wait() sees the room.
  std::atomic<uint64_t> running_{0};
  std::atomic<uint32_t> limit_{0};  // in the same way
  std::atomic<int64_t> waiting_calls_{0};
  std::atomic<bool> handlers_hold_{false};

  std::atomic<bool> adapts_{false};  // stored under mu_; relaxed: calls may be missed

  absl::Mutex mu_;
  bool is_set_ ABSL_GUARDED_BY(mu_) = false;
  uint32_t bound_ ABSL_GUARDED_BY(mu_) = 0;
  GradientLimit gradient_ ABSL_GUARDED_BY(mu_);
  AgeingQueue<Turn> turns_ ABSL_GUARDED_BY(mu_);
  std::atomic<uint64_t> waiting_{0};  // in turns_; stored under mu_
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_CALLS_CALL_CAPACITY_H_
