// SPDX-License-Identifier: Apache-2.0
// Proves what the poller and its watchdog promise when callbacks block: others go on within
// a bounded time, however many block and even when one waits for what it enqueued itself;
// no event is lost when a leader is deposed, neither those it had collected nor those its
// late callback takes away from its successor; and the threads that this takes are used
// again and go away. Bounds on time are loose.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "grpc_cxl/polling/callers_queue.h"
#include "gtest/gtest.h"
#include "test/polling/fake_pollable.h"
#include "test/polling/threads.h"
#include "test/support/eventually.h"

namespace grpc_cxl::internal {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kBound = std::chrono::seconds(1);

// Callbacks that wait in here until they are let go.
class Gate {
 public:
  ~Gate() { EXPECT_EQ(inside_, 0); }
  void Pass() {
    ++inside_;
    open_.WaitForNotification();
    --inside_;
  }
  int inside() const { return inside_; }
  bool Await(int inside) {
    return Eventually([&] { return inside_ == inside; });
  }
  void Open() {
    open_.Notify();
    EXPECT_TRUE(Await(0));
  }

 private:
  std::atomic<int> inside_{0};
  absl::Notification open_;
};

class PollerBlockingTest : public ::testing::Test {
 protected:
  // Removed, and no longer called back, at the end of the test.
  std::shared_ptr<FakePollable> MakePollable() {
    pollables_.push_back(std::make_shared<FakePollable>());
    return pollables_.back();
  }
  void TearDown() override {
    for (const auto& pollable : pollables_) poller_->Remove(pollable.get());
    Flush(poller_);
  }

  Poller* const poller_ = OnePoller();
  std::vector<std::shared_ptr<FakePollable>> pollables_;
};

TEST_F(PollerBlockingTest, ClosuresThatBlockDelayOthersLittle) {
  for (const int blocked : {1, 20}) {
    Gate gate;
    const uint64_t takeovers = OneWatchdog()->takeovers();
    for (int i = 0; i < blocked; ++i) poller_->Enqueue([&] { gate.Pass(); });
    const auto start = Clock::now();
    Flush(poller_);
    EXPECT_LT(Clock::now() - start, blocked * kBound);
    EXPECT_EQ(gate.inside(), blocked);
    EXPECT_GE(OneWatchdog()->takeovers(), takeovers + blocked);
    gate.Open();
  }
}

TEST_F(PollerBlockingTest, AClosureMayWaitForOnesItEnqueued) {
  absl::Notification done;
  poller_->Enqueue([&] {
    absl::Notification inner;
    poller_->Enqueue([&] {
      Flush(poller_);
      inner.Notify();
    });
    inner.WaitForNotification();
    done.Notify();
  });
  done.WaitForNotification();
}

// In every callback there is, the same pollable's and others'.
TEST_F(PollerBlockingTest, CallbacksOfPollablesMayBlockToo) {
  for (const bool in_run : {false, true}) {
    Gate gate;
    const auto blocker = MakePollable(), other = MakePollable();
    std::atomic<bool> block{true};
    const auto maybe_block = [&] {
      if (block.exchange(false)) gate.Pass();
    };
    blocker->on_readable = [&] {
      blocker->TakeSignals();
      in_run ? blocker->OfferWork() : maybe_block();
    };
    blocker->on_run = [&] {
      if (in_run) maybe_block();
    };
    poller_->Add(blocker);
    poller_->Add(other);
    blocker->Signal();
    ASSERT_TRUE(gate.Await(1));
    const auto start = Clock::now();
    other->Signal();
    ASSERT_TRUE(Eventually([&] { return other->readable_calls > 0; }));
    const int calls = blocker->readable_calls;
    blocker->Signal();
    ASSERT_TRUE(Eventually([&] { return blocker->readable_calls > calls; }));
    EXPECT_LT(Clock::now() - start, kBound);
    gate.Open();
    TearDown();
  }
}

// A batch of events, collected by a leader that is deposed at one of the first.
TEST_F(PollerBlockingTest, NoEventOfABatchIsLost) {
  for (int round = 0; round < 5; ++round) {
    Gate gate, collect;
    std::atomic<bool> block{true};
    for (int i = 0; i < 200; ++i) {
      const auto pollable = MakePollable();
      pollable->on_readable = [&, self = pollable.get()] {
        self->TakeSignals();
        if (block.exchange(false)) gate.Pass();
      };
      poller_->Add(pollable);
    }
    // All signals come while every would-be leader is held up, so one collects them all.
    poller_->Enqueue([&] { collect.Pass(); });
    ASSERT_TRUE(collect.Await(1));
    for (const auto& pollable : pollables_) pollable->Signal();
    collect.Open();
    for (const auto& pollable : pollables_) {
      ASSERT_TRUE(Eventually([&] { return pollable->readable_calls > 0; }));
    }
    gate.Open();
    TearDown();
    pollables_.clear();
  }
}

// The deposed leader comes late to take the signals: those of the nap that its successor has
// begun meanwhile go with them, and the edge is over. So the pollable must be looked at
// again once it returns, or work that was offered with such a signal waits for ever.
TEST_F(PollerBlockingTest, ALateCallbackDoesNotSwallowItsSuccessorsWakeUp) {
  Gate gate;
  const auto pollable = MakePollable();
  std::atomic<bool> block{true};
  pollable->on_readable = [&] {
    if (block.exchange(false)) gate.Pass();
    pollable->TakeSignals();
  };
  poller_->Add(pollable);
  const int naps = pollable->naps;
  pollable->Signal();
  ASSERT_TRUE(gate.Await(1));
  // The successor finds nothing to do and puts it to sleep.
  ASSERT_TRUE(Eventually([&] { return pollable->naps > naps && pollable->asleep; }));
  Flush(poller_);
  // The late callback takes everything, as if a wake-up had come in between.
  pollable->OfferWork();
  gate.Open();
  EXPECT_TRUE(Eventually([&] { return pollable->run_calls == 1; }));
}

TEST_F(PollerBlockingTest, ThreadsAreUsedAgainAndGoAway) {
  const auto block_twenty = [&] {
    Gate gate;
    for (int i = 0; i < 20; ++i) poller_->Enqueue([&] { gate.Pass(); });
    EXPECT_TRUE(gate.Await(20));
    const size_t threads = Threads("cxl_poller").count;
    gate.Open();
    Flush(poller_);
    return threads;
  };
  const size_t first = block_twenty();
  EXPECT_GE(first, 21u);
  for (int i = 0; i < 3; ++i) {
    // A takeover more or less, when the machine is busy; but not twenty.
    EXPECT_LT(block_twenty(), first + 10) << "waiting threads are not used";
  }
  EXPECT_TRUE(Eventually([] { return Threads("cxl_poller").count == 1; }));
}

// What a CallersQueue cannot run goes here.
std::vector<CallersQueue::Closure>& Elsewhere() {
  static auto* const closures = new std::vector<CallersQueue::Closure>;
  return *closures;
}

class CallersQueueTest : public ::testing::Test {
 protected:
  void TearDown() override { Elsewhere().clear(); }
  static bool Add(CallersQueue& queue, CallersQueue::Closure closure) { return queue.Add(closure); }
  static CallersQueue MakeQueue() {
    return CallersQueue(OneWatchdog(), [](CallersQueue::Closure closure) {
      EXPECT_EQ(CallersQueue::Current(), nullptr);
      absl::MutexLock lock(mu_);
      Elsewhere().push_back(std::move(closure));
    });
  }
  // Runs what is there, and says how much that was.
  static size_t RunElsewhere() {
    std::vector<CallersQueue::Closure> closures;
    {
      absl::MutexLock lock(mu_);
      closures.swap(Elsewhere());
    }
    for (CallersQueue::Closure& closure : closures) closure();
    return closures.size();
  }

  static inline absl::Mutex mu_;
  std::vector<int> ran_;
};

TEST_F(CallersQueueTest, RunsWhatComesUntilThereIsNothingOrTheCallIsOver) {
  CallersQueue queue = MakeQueue();
  EXPECT_EQ(CallersQueue::Current(), &queue);
  Add(queue, [&] {
    Add(queue, [&] { ran_.push_back(3); });
    ran_.push_back(1);
  });
  Add(queue, [&] { ran_.push_back(2); });
  queue.Run([] { return false; });
  EXPECT_EQ(ran_, std::vector<int>({1, 2, 3}));

  const std::function<void()> forever = [&] {
    Add(queue, forever);
    ran_.push_back(4);
  };
  Add(queue, forever);
  queue.Run([&] { return ran_.size() == 5; });
  EXPECT_EQ(ran_, std::vector<int>({1, 2, 3, 4, 4}));
  EXPECT_EQ(RunElsewhere(), 0u);
}

TEST_F(CallersQueueTest, WhatIsLeftRunsElsewhere) {
  {
    CallersQueue outer = MakeQueue();
    Add(outer, [&] { ran_.push_back(1); });
    {
      CallersQueue inner = MakeQueue();  // which may wait for what the outer one holds
      EXPECT_EQ(RunElsewhere(), 1u);
      EXPECT_EQ(CallersQueue::Current(), &inner);
      Add(inner, [&] { ran_.push_back(2); });
    }
    EXPECT_EQ(RunElsewhere(), 1u);
    EXPECT_EQ(CallersQueue::Current(), &outer);
  }
  EXPECT_EQ(CallersQueue::Current(), nullptr);
  EXPECT_EQ(ran_, std::vector<int>({1, 2}));
}

TEST_F(CallersQueueTest, AClosureMayBlockForOnesThatWaitBehindIt) {
  CallersQueue queue = MakeQueue();
  absl::Notification behind;
  Add(queue, [&] {
    EXPECT_TRUE(Eventually([&] { return RunElsewhere() > 0; }));
    EXPECT_TRUE(behind.HasBeenNotified());
  });
  Add(queue, [&] { behind.Notify(); });
  queue.Run([] { return false; });
  EXPECT_FALSE(Add(queue, [] {}));  // the seat is not its own any more
}

}  // namespace
}  // namespace grpc_cxl::internal
