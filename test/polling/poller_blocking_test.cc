// Proves what the poller and its watchdog promise when callbacks block: others go on within
// a bounded time, however many block and even when one waits for what it enqueued itself;
// no event is lost when a leader is deposed, neither those it had collected nor those its
// late callback takes away from its successor; and the threads that this takes are used
// again and go away. Bounds on time are loose; what was measured is printed.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "grpc_cxl/polling/poller.h"
#include "grpc_cxl/polling/watchdog.h"
#include "gtest/gtest.h"
#include "test/polling/fake_pollable.h"
#include "test/polling/threads.h"
#include "test/support/eventually.h"

namespace grpc_cxl::internal {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kBound = std::chrono::seconds(1);

Watchdog* TheWatchdog() {
  static Watchdog* const watchdog = new Watchdog(1);
  return watchdog;
}
Poller* ThePoller() { return TheWatchdog()->Assign(); }

double Milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// Enqueues a closure and waits until it has run.
Clock::duration TimeOfAClosure(Poller* poller) {
  absl::Notification ran;
  const auto start = Clock::now();
  poller->Enqueue([&] { ran.Notify(); });
  ran.WaitForNotification();
  return Clock::now() - start;
}

// Callbacks that wait in here until they are let go.
class Gate {
 public:
  void Pass() {
    ++inside_;
    open_.WaitForNotification();
    --inside_;
  }
  int inside() const { return inside_; }
  void Open() { open_.Notify(); }
  bool AwaitEmpty() {
    return Eventually([this] { return inside_ == 0; });
  }

 private:
  std::atomic<int> inside_{0};
  absl::Notification open_;
};

TEST(PollerBlockingTest, AClosureThatNeverReturnsDelaysOthersLittle) {
  Poller* const poller = ThePoller();
  Gate gate;
  const uint64_t takeovers = TheWatchdog()->takeovers();
  poller->Enqueue([&] { gate.Pass(); });
  ASSERT_TRUE(Eventually([&] { return gate.inside() == 1; }));
  const Clock::duration delay = TimeOfAClosure(poller);
  printf("  a closure behind one that blocks ran after %.1f ms\n", Milliseconds(delay));
  EXPECT_LT(delay, kBound);
  EXPECT_GT(TheWatchdog()->takeovers(), takeovers);
  gate.Open();
  EXPECT_TRUE(gate.AwaitEmpty());
}

TEST(PollerBlockingTest, TwentyThatBlockAtOnce) {
  Poller* const poller = ThePoller();
  Gate gate;
  for (int i = 0; i < 20; ++i) poller->Enqueue([&] { gate.Pass(); });
  const Clock::duration delay = TimeOfAClosure(poller);
  printf("  a closure behind twenty that block ran after %.1f ms\n", Milliseconds(delay));
  EXPECT_LT(delay, 20 * kBound);
  EXPECT_EQ(gate.inside(), 20);
  gate.Open();
  EXPECT_TRUE(gate.AwaitEmpty());
}

TEST(PollerBlockingTest, AClosureMayWaitForOnesItEnqueued) {
  Poller* const poller = ThePoller();
  absl::Notification done;
  poller->Enqueue([&] {
    absl::Notification inner;
    poller->Enqueue([&] {
      absl::Notification innermost;
      poller->Enqueue([&] { innermost.Notify(); });
      innermost.WaitForNotification();
      inner.Notify();
    });
    inner.WaitForNotification();
    done.Notify();
  });
  done.WaitForNotification();
}

// In every callback there is, the same pollable's and others'.
TEST(PollerBlockingTest, CallbacksOfPollablesMayBlockToo) {
  for (const bool in_run : {false, true}) {
    Poller* const poller = ThePoller();
    Gate gate;
    const auto blocker = std::make_shared<FakePollable>();
    const auto other = std::make_shared<FakePollable>();
    std::atomic<bool> block{true};
    const auto maybe_block = [&] {
      if (block.exchange(false)) gate.Pass();
    };
    blocker->on_readable = [&] {
      blocker->TakeSignals();
      if (!in_run) return maybe_block();
      blocker->OfferWork();
    };
    blocker->on_run = [&] {
      if (in_run) maybe_block();
    };
    poller->Add(blocker);
    poller->Add(other);
    blocker->Signal();
    ASSERT_TRUE(Eventually([&] { return gate.inside() == 1; }));
    const auto start = Clock::now();
    other->Signal();
    ASSERT_TRUE(Eventually([&] { return other->readable_calls > 0; }));
    const int calls = blocker->readable_calls;
    blocker->Signal();
    ASSERT_TRUE(Eventually([&] { return blocker->readable_calls > calls; }));
    printf("  two signals behind a callback that blocks came through after %.1f ms\n",
           Milliseconds(Clock::now() - start));
    EXPECT_LT(Clock::now() - start, kBound);
    gate.Open();
    EXPECT_TRUE(gate.AwaitEmpty());
    poller->Remove(blocker.get());
    poller->Remove(other.get());
    TimeOfAClosure(poller);
  }
}

// A batch of events, collected by a leader that is deposed at one of the first.
TEST(PollerBlockingTest, NoEventOfABatchIsLost) {
  Poller* const poller = ThePoller();
  for (int round = 0; round < 5; ++round) {
    Gate gate, collect;
    std::atomic<bool> block{true};
    std::vector<std::shared_ptr<FakePollable>> pollables;
    for (int i = 0; i < 200; ++i) {
      pollables.push_back(std::make_shared<FakePollable>());
      pollables.back()->on_readable = [&, self = pollables.back().get()] {
        self->TakeSignals();
        if (block.exchange(false)) gate.Pass();
      };
      poller->Add(pollables.back());
    }
    // All signals come while every would-be leader is held up, so one collects them all.
    poller->Enqueue([&] { collect.Pass(); });
    ASSERT_TRUE(Eventually([&] { return collect.inside() == 1; }));
    for (const auto& pollable : pollables) pollable->Signal();
    collect.Open();
    for (const auto& pollable : pollables) {
      ASSERT_TRUE(Eventually([&] { return pollable->readable_calls > 0; }));
    }
    gate.Open();
    EXPECT_TRUE(collect.AwaitEmpty() && gate.AwaitEmpty());
    for (const auto& pollable : pollables) poller->Remove(pollable.get());
    TimeOfAClosure(poller);
  }
}

// The deposed leader comes late to take the signals: those of the nap that its successor has
// begun meanwhile go with them, and the edge is over. So the pollable must be looked at
// again once it returns, or work that was offered with such a signal waits for ever.
TEST(PollerBlockingTest, ALateCallbackDoesNotSwallowItsSuccessorsWakeUp) {
  Poller* const poller = ThePoller();
  Gate gate;
  const auto pollable = std::make_shared<FakePollable>();
  std::atomic<bool> block{true};
  pollable->on_readable = [&] {
    if (block.exchange(false)) gate.Pass();
    pollable->TakeSignals();
  };
  poller->Add(pollable);
  const int naps = pollable->naps;
  pollable->Signal();
  ASSERT_TRUE(Eventually([&] { return gate.inside() == 1; }));
  // The successor finds nothing to do and puts it to sleep.
  ASSERT_TRUE(Eventually([&] { return pollable->naps > naps && pollable->asleep; }));
  TimeOfAClosure(poller);
  // The late callback takes everything, as if it had been rung in between.
  pollable->OfferWork();
  gate.Open();
  EXPECT_TRUE(Eventually([&] { return pollable->run_calls == 1; }));
  poller->Remove(pollable.get());
  TimeOfAClosure(poller);
}

TEST(PollerBlockingTest, ThreadsAreUsedAgainAndGoAway) {
  Poller* const poller = ThePoller();
  const auto block_twenty = [&] {
    Gate gate;
    for (int i = 0; i < 20; ++i) poller->Enqueue([&] { gate.Pass(); });
    EXPECT_TRUE(Eventually([&] { return gate.inside() == 20; }));
    const size_t threads = CountThreads("cxl_poller");
    gate.Open();
    EXPECT_TRUE(gate.AwaitEmpty());
    TimeOfAClosure(poller);
    return threads;
  };
  const size_t first = block_twenty();
  EXPECT_GE(first, 21u);
  for (int i = 0; i < 3; ++i) {
    // A takeover more or less, when the machine is busy; but not twenty.
    EXPECT_LT(block_twenty(), first + 10) << "waiting threads are not used";
  }
  const auto start = Clock::now();
  EXPECT_TRUE(Eventually([] { return CountThreads("cxl_poller") == 1; }));
  printf("  the last superfluous thread left after %.1f s\n",
         Milliseconds(Clock::now() - start) / 1000);
}

}  // namespace
}  // namespace grpc_cxl::internal
