// SPDX-License-Identifier: Apache-2.0
// Never more calls at a time than the capacity, each connection in its own order and all in turn,
// and no call is forgotten, whatever threads end calls or change the capacity at the same time.

#include "grpc_cxl/calls/call_capacity.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/base/ageing_queue.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

class Connection final : public CallCapacity::Connection {
 public:
  Connection(CallCapacity* capacity, std::string name, std::string* begun)
      : capacity_(capacity), name_(std::move(name)), begun_(begun) {}

  // Calls that wait, and `self` in the capacity's turns.
  static void Wait(const std::shared_ptr<Connection>& self, int calls) {
    {
      absl::MutexLock lock(self->mu_);
      for (int i = 0; i < calls; ++i) self->calls_.push_back(i);
    }
    self->capacity_->Wait(self);
  }
  Begun BeginNext(Priority) override {
    absl::MutexLock lock(mu_);
    if (calls_.empty()) return {.one = false, .more = false};
    *begun_ += name_ + std::to_string(calls_.front()) + " ";
    calls_.pop_front();
    return {.one = true, .more = !calls_.empty()};
  }

 private:
  CallCapacity* const capacity_;
  const std::string name_;
  std::string* const begun_;
  absl::Mutex mu_;
  std::deque<int> calls_ ABSL_GUARDED_BY(mu_);
};

TEST(CallCapacityTest, WithoutALimitAllCallsEnter) {
  CallCapacity capacity;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(capacity.Enter());
  EXPECT_EQ(capacity.running(), 1000u);
}

TEST(CallCapacityTest, ConnectionsTakeTurns) {
  CallCapacity capacity;
  capacity.Set(2);
  EXPECT_TRUE(capacity.Enter());
  EXPECT_TRUE(capacity.Enter());
  EXPECT_FALSE(capacity.Enter());
  std::string begun;
  const auto a = std::make_shared<Connection>(&capacity, "a", &begun);
  const auto b = std::make_shared<Connection>(&capacity, "b", &begun);
  const auto empty = std::make_shared<Connection>(&capacity, "e", &begun);
  auto gone = std::make_shared<Connection>(&capacity, "gone", &begun);
  Connection::Wait(a, 4);
  Connection::Wait(empty, 0);
  Connection::Wait(gone, 2);
  Connection::Wait(b, 2);
  gone.reset();
  EXPECT_EQ(begun, "");
  for (int i = 0; i < 3; ++i) capacity.Leave();
  EXPECT_EQ(begun, "a0 b0 a1 ");
  EXPECT_FALSE(capacity.Enter()) << "behind those that wait";
  capacity.Set(3);
  EXPECT_EQ(begun, "a0 b0 a1 b1 ");
  capacity.Set(1);
  for (int i = 0; i < 2; ++i) capacity.Leave();
  EXPECT_EQ(begun, "a0 b0 a1 b1 ") << "as many run as may";
  capacity.Set(0);
  EXPECT_EQ(begun, "a0 b0 a1 b1 a2 a3 ");
  EXPECT_TRUE(capacity.Enter());
  EXPECT_EQ(capacity.running(), 4u);
}

// Notes what begins; all calls of a priority have waited since `since_ns`.
struct Waiters final : CallCapacity::Connection {
  explicit Waiters(std::string* begun) : begun(begun) {}
  Begun BeginNext(Priority priority) override {
    *begun += std::string(Name(priority)) + " ";
    return {.one = true, .more = --left[priority] > 0, .since_ns = since_ns[priority]};
  }
  static const char* Name(Priority priority) {
    return priority == Priority::kBulk      ? "bulk"
           : priority == Priority::kDefault ? "default"
                                            : "interactive";
  }
  std::map<Priority, int> left;
  std::map<Priority, int64_t> since_ns;
  std::string* const begun;
};

TEST(CallCapacityTest, UrgentCallsFirstAndHalfForBulkAtMost) {
  CallCapacity capacity;
  capacity.Set(4);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(capacity.Enter(Priority::kBulk));
  EXPECT_FALSE(capacity.Enter(Priority::kBulk)) << "half";
  std::string begun;
  const auto client = std::make_shared<Waiters>(&begun);
  client->left[Priority::kBulk] = 2;
  capacity.Wait(client, Priority::kBulk);
  EXPECT_EQ(begun, "");
  // Nobody waits behind bulk calls.
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(capacity.Enter(Priority::kDefault));
  for (const Priority priority : {Priority::kDefault, Priority::kInteractive}) {
    EXPECT_FALSE(capacity.Enter(priority));
    client->left[priority] = 1;
    capacity.Wait(client, priority);
  }
  capacity.Leave(Priority::kDefault);
  EXPECT_EQ(begun, "interactive ");
  capacity.Leave(Priority::kBulk);
  EXPECT_EQ(begun, "interactive default ");
  capacity.Leave(Priority::kInteractive);
  EXPECT_EQ(begun, "interactive default bulk ");
  capacity.Leave(Priority::kDefault);
  EXPECT_EQ(begun, "interactive default bulk ") << "half";
  capacity.Leave(Priority::kBulk);
  EXPECT_EQ(begun, "interactive default bulk bulk ");
  EXPECT_EQ(capacity.running(), 3u);
  capacity.Set(1);
  for (int i = 0; i < 2; ++i) capacity.Leave(Priority::kBulk);
  capacity.Leave(Priority::kDefault);
  EXPECT_TRUE(capacity.Enter(Priority::kBulk)) << "one at least";
}

constexpr int64_t kStep = AgeingQueue<int>::kStepNs;

TEST(CallCapacityTest, CallsThatHaveWaitedForLongEnoughArePassedByNone) {
  CallCapacity capacity;
  capacity.Set(2);
  EXPECT_TRUE(capacity.Enter(Priority::kDefault));
  EXPECT_TRUE(capacity.Enter(Priority::kDefault));
  std::string begun;
  const auto client = std::make_shared<Waiters>(&begun);
  const auto wait = [&](Priority priority, int64_t since_ns) {
    client->left[priority] = 2;
    client->since_ns[priority] = since_ns;
    capacity.Wait(client, priority, since_ns);
  };
  wait(Priority::kInteractive, 2 * kStep + 1);
  wait(Priority::kDefault, kStep + 2);
  wait(Priority::kBulk, 0);
  // A bulk call came 50 ms before the interactive ones, and more than 25 ms before the default
  // ones; the second one waits for its half.
  for (int i = 0; i < 4; ++i) capacity.Leave(i < 2 ? Priority::kDefault : Priority::kInteractive);
  EXPECT_EQ(begun, "bulk interactive interactive default ");
}

TEST(CallCapacityTest, WhoComesPassesNoBulkCallThatCouldBegin) {
  CallCapacity capacity;
  capacity.Set(4);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(capacity.Enter(Priority::kDefault));
  std::string begun;
  const auto client = std::make_shared<Waiters>(&begun);
  client->left[Priority::kBulk] = 3;
  capacity.Wait(client, Priority::kBulk, 0);
  // As Respond() does, which answers in between.
  capacity.Release(1, Priority::kDefault);
  EXPECT_FALSE(capacity.Enter(Priority::kInteractive)) << "for ever new ones could come";
  capacity.BeginWaiting();
  EXPECT_EQ(begun, "bulk ");
  capacity.Leave(Priority::kDefault);
  EXPECT_EQ(begun, "bulk bulk ");
  // Their half is taken: the third one waits for that, and nobody waits for it.
  capacity.Release(1, Priority::kDefault);
  EXPECT_TRUE(capacity.Enter(Priority::kInteractive));
  EXPECT_EQ(begun, "bulk bulk ");
}

TEST(CallCapacityTest, AtFirstTheSmallestOptionCountsAndThenWhatWasSet) {
  CallCapacity capacity;
  for (const uint32_t option : {0, 7, 5, 9}) capacity.SetAtFirst(option);
  EXPECT_EQ(capacity.limit(), 5u);
  capacity.Set(0);
  capacity.SetAtFirst(5);
  EXPECT_EQ(capacity.limit(), 0u);
}

TEST(CallCapacityTest, AnAdaptiveOneStaysBelowItsBound) {
  CallCapacity capacity;
  capacity.SetAtFirst(3);
  capacity.Adapt();
  EXPECT_EQ(capacity.limit(), 3u);
  capacity.Set(0);
  const uint32_t found = capacity.limit();
  EXPECT_GE(found, 3u);
  capacity.Set(1);
  EXPECT_TRUE(capacity.Enter());
  EXPECT_FALSE(capacity.Enter());
  capacity.Measured(1000, 1);
  capacity.Leave();
  EXPECT_TRUE(capacity.Enter());
}

// Calls of several threads, which wait for each other's ends.
TEST(CallCapacityTest, NoCallIsForgotten) {
  constexpr int kThreads = 4, kCalls = 1000;
  CallCapacity capacity;
  capacity.Set(2);
  std::atomic<int> running{0}, most{0};
  struct Caller final : CallCapacity::Connection {
    std::atomic<bool> waits{false}, begun{false};
    Begun BeginNext(Priority) override {
      const bool one = waits.exchange(false);
      if (one) begun = true;
      return {.one = one, .more = false};
    }
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      const auto caller = std::make_shared<Caller>();
      for (int i = 0; i < kCalls; ++i) {
        if (!capacity.Enter()) {
          caller->waits = true;
          capacity.Wait(caller);
          while (!caller->begun.exchange(false)) std::this_thread::yield();
        }
        const int now = ++running;
        int seen = most;
        while (now > seen && !most.compare_exchange_weak(seen, now)) {
        }
        --running;
        capacity.Leave();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, 2);
  EXPECT_EQ(capacity.running(), 0u);
}

}  // namespace
}  // namespace grpc_cxl::internal
