// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/calls/call_capacity.h"

#include <utility>

namespace grpc_cxl::internal {

void CallCapacity::SetBound(uint32_t calls) {
  constexpr uint32_t kMost = 1000;  // to be found
  bound_ = calls;
  const bool adapts = adapts_.load(std::memory_order_relaxed);
  if (adapts) gradient_.SetMost(calls == 0 ? kMost : calls);
  limit_.store(adapts ? gradient_.limit() : calls, std::memory_order_seq_cst);
}

void CallCapacity::Set(uint32_t calls) {
  {
    absl::MutexLock lock(mu_);
    is_set_ = true;
    SetBound(calls);
  }
  BeginWaiting();
}

void CallCapacity::SetAtFirst(uint32_t calls) {
  absl::MutexLock lock(mu_);
  if (!is_set_ && calls != 0 && (bound_ == 0 || calls < bound_)) SetBound(calls);
}

void CallCapacity::Adapt() {
  absl::MutexLock lock(mu_);
  adapts_.store(true, std::memory_order_relaxed);
  SetBound(bound_);
}

void CallCapacity::Measured(int64_t took_ns, int64_t now_ns) {
  if (!adapts_.load(std::memory_order_relaxed)) return;
  absl::MutexLock lock(mu_);
  gradient_.Ended(took_ns, running(), now_ns);
  limit_.store(gradient_.limit(), std::memory_order_seq_cst);
}

bool CallCapacity::HasRoom(Priority priority) {
  uint64_t running = running_.load(std::memory_order_seq_cst);
  for (;;) {
    const uint32_t limit = limit_.load(std::memory_order_seq_cst);
    if (limit != 0 && All(running) >= limit) return false;
    if (limit != 0 && priority == Priority::kBulk && Bulk(running) >= Half(limit)) {
      return false;
    }
    if (running_.compare_exchange_weak(running, running + Part(priority),
                                       std::memory_order_seq_cst)) {
      return true;
    }
  }
}

void CallCapacity::AddTurn(Turn turn, int64_t since_ns) {
  absl::MutexLock lock(mu_);
  waiting_.fetch_add(Part(turn.priority), std::memory_order_seq_cst);
  turns_.Push(turn.priority, std::move(turn), since_ns);
}

std::optional<CallCapacity::Turn> CallCapacity::TakeTurn() {
  absl::MutexLock lock(mu_);
  std::optional<Turn> turn = turns_.PopIf([this](Priority priority) { return HasRoom(priority); });
  if (turn.has_value()) waiting_.fetch_sub(Part(turn->priority), std::memory_order_seq_cst);
  return turn;
}

void CallCapacity::Wait(std::weak_ptr<Connection> connection, Priority priority, int64_t since_ns) {
  AddTurn({std::move(connection), priority}, since_ns);
  BeginWaiting();  // a call may have ended before
}

void CallCapacity::TakeTurns() {
  // A call that is begun here may end here: the loop below goes on with the next then.
  thread_local const CallCapacity* turning = nullptr;
  if (turning == this) return;
  const CallCapacity* const before = std::exchange(turning, this);
  while (std::optional<Turn> turn = TakeTurn()) {
    const Priority priority = turn->priority;
    const std::shared_ptr<Connection> connection = turn->connection.lock();
    const Connection::Begun begun =
        connection == nullptr ? Connection::Begun{} : connection->BeginNext(priority);
    if (begun.more) AddTurn(*std::move(turn), begun.since_ns);
    // After that: who has found no connection, or no room, in between has left it to us.
    if (!begun.one) Release(1, priority);
  }
  turning = before;
}

}  // namespace grpc_cxl::internal
