// Proves what the poller promises while nobody blocks: closures run in order, one at a time;
// descriptors and ready memory lead to calls; pollables come and go from any thread and from
// inside callbacks; what is removed is let go; the sleep protocol is kept step by step.

#include "grpc_cxl/polling/poller.h"

#include <atomic>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "grpc_cxl/polling/watchdog.h"
#include "gtest/gtest.h"
#include "test/polling/fake_pollable.h"
#include "test/support/eventually.h"

namespace grpc_cxl::internal {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kMany = 5'000;
#else
constexpr int kMany = 100'000;
#endif

Watchdog* OneWatchdog() {
  static Watchdog* const watchdog = new Watchdog(1);
  return watchdog;
}

// A poller in the process's own watchdog, which is never destroyed.
Poller* ThePoller() { return OneWatchdog()->Assign(); }

// Returns when the leader has run everything that was enqueued before.
void Flush(Poller* poller) {
  absl::Notification done;
  poller->Enqueue([&] { done.Notify(); });
  done.WaitForNotification();
}

TEST(PollerTest, ClosuresRunInOrderOneAtATime) {
  Poller* const poller = ThePoller();
  for (bool undisturbed = false; !undisturbed;) {
    const uint64_t takeovers = OneWatchdog()->takeovers();
    std::vector<int> order;
    std::atomic<int> inside{0}, overlaps{0};
    for (int i = 0; i < kMany; ++i) {
      poller->Enqueue([&, i] {
        overlaps += inside.fetch_add(1);
        order.push_back(i);
        inside.fetch_sub(1);
      });
      if (i % 1000 == 0) Flush(poller);
    }
    Flush(poller);
    // A leader that the kernel took off its core in a closure may have been replaced.
    undisturbed = OneWatchdog()->takeovers() == takeovers;
    if (!undisturbed) continue;
    EXPECT_EQ(overlaps, 0);
    ASSERT_EQ(order.size(), static_cast<size_t>(kMany));
    for (int i = 0; i < kMany; ++i) ASSERT_EQ(order[i], i);
  }
}

TEST(PollerTest, ClosuresFromManyThreadsAllRun) {
  Poller* const poller = ThePoller();
  std::atomic<int> ran{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kMany / 4; ++i) poller->Enqueue([&] { ++ran; });
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(Eventually([&] { return ran == kMany / 4 * 4; }));
}

TEST(PollerTest, DeferredWorkWaitsForAllThatCameOfTheWorkBefore) {
  Poller* const poller = ThePoller();
  std::vector<std::string> order;
  absl::Notification done;
  poller->Enqueue([&] {
    std::vector<absl::AnyInvocable<void()>> work;
    work.push_back([&] {
      order.push_back("a");
      poller->Enqueue([&] {
        order.push_back("a's");
        poller->Enqueue([&] { order.push_back("a's closure's"); });
      });
    });
    work.push_back([&] {
      order.push_back("b");
      done.Notify();
    });
    poller->Defer(std::move(work));
    EXPECT_TRUE(poller->HasDeferred());
    poller->Enqueue([&] { order.push_back("before"); });
  });
  done.WaitForNotification();
  Flush(poller);
  EXPECT_FALSE(poller->HasDeferred());
  EXPECT_EQ(order, (std::vector<std::string>{"before", "a", "a's", "a's closure's", "b"}));
}

// From a thread that is no leader, the leader asleep: it is woken.
TEST(PollerTest, DeferredWorkWakesTheLeader) {
  Poller* const poller = ThePoller();
  for (int i = 0; i < 1000; ++i) {
    absl::Notification done;
    std::vector<absl::AnyInvocable<void()>> work;
    work.push_back([&] { done.Notify(); });
    poller->Defer(std::move(work));
    ASSERT_TRUE(done.WaitForNotificationWithTimeout(absl::Minutes(1))) << i;
  }
}

TEST(PollerTest, CurrentIsThePollerInsideCallbacksAndNullOutside) {
  Poller* const poller = ThePoller();
  const auto pollable = std::make_shared<FakePollable>();
  std::atomic<Poller*> in_closure{nullptr}, in_readable{nullptr}, in_run{nullptr};
  pollable->on_readable = [&] {
    pollable->TakeSignals();
    in_readable = Poller::Current();
    pollable->OfferWork();
  };
  pollable->on_run = [&] { in_run = Poller::Current(); };
  poller->Add(pollable);
  poller->Enqueue([&] { in_closure = Poller::Current(); });
  pollable->Signal();
  EXPECT_TRUE(Eventually([&] { return in_closure == poller; }));
  EXPECT_TRUE(Eventually([&] { return in_readable == poller; }));
  EXPECT_TRUE(Eventually([&] { return in_run == poller; }));
  EXPECT_EQ(Poller::Current(), nullptr);
  poller->Remove(pollable.get());
  Flush(poller);
}

TEST(PollerTest, ADescriptorThatIsReadableWhenAddedIsReported) {
  Poller* const poller = ThePoller();
  const auto pollable = std::make_shared<FakePollable>();
  pollable->Signal();
  poller->Add(pollable);
  EXPECT_TRUE(Eventually([&] { return pollable->readable_calls > 0; }));
  poller->Remove(pollable.get());
}

// A closure that enqueues itself for ever must not keep connections waiting.
TEST(PollerTest, ClosuresDoNotStarveDescriptors) {
  Poller* const poller = ThePoller();
  std::atomic<bool> stop{false}, stopped{false};
  std::function<void()> again = [&] {
    if (stop) {
      stopped = true;
    } else {
      poller->Enqueue(again);
    }
  };
  poller->Enqueue(again);
  const auto pollable = std::make_shared<FakePollable>();
  poller->Add(pollable);
  for (int i = 1; i <= 20; ++i) {
    pollable->Signal();
    ASSERT_TRUE(Eventually([&] { return pollable->readable_calls >= i; }));
  }
  poller->Remove(pollable.get());
  stop = true;
  EXPECT_TRUE(Eventually([&] { return stopped.load(); }));
}

// Asleep -> signal -> Awake, SleptFor -> looked at until spin_ns() have brought nothing ->
// PrepareToSleep, one more look -> asleep.
TEST(PollerTest, TheSleepProtocolStepByStep) {
  Poller* const poller = ThePoller();
  const auto pollable = std::make_shared<FakePollable>();
  pollable->spin = 1'000'000;
  poller->Add(pollable);
  EXPECT_TRUE(pollable->asleep) << "added asleep: the peer has to ring";
  EXPECT_EQ(pollable->looks, 0);
  pollable->Signal();
  ASSERT_TRUE(Eventually([&] { return pollable->wasted == 1; }));
  ASSERT_TRUE(Eventually([&] { return pollable->asleep.load(); }));
  EXPECT_EQ(pollable->readable_calls, 1);
  EXPECT_EQ(pollable->slept, 1);
  EXPECT_EQ(pollable->run_calls, 0);
  EXPECT_GE(pollable->looks, 2);

  // Work that is there when it wakes up is done, and looked for again.
  pollable->OfferWork();
  pollable->Signal();
  ASSERT_TRUE(Eventually([&] { return pollable->run_calls == 1; }));
  ASSERT_TRUE(Eventually([&] { return pollable->asleep.load(); }));
  EXPECT_EQ(pollable->slept, 2);
  const int looks = pollable->looks;
  Flush(poller);
  EXPECT_EQ(pollable->looks, looks) << "asleep, it is not looked at";
  poller->Remove(pollable.get());
}

// Work that comes between the last look and the sleep is found by the look after
// PrepareToSleep(). Here it comes at exactly that moment.
TEST(PollerTest, WorkThatComesWhileFallingAsleepIsFound) {
  struct Sleepy final : Pollable {
    int fd() const override { return inner.fd(); }
    void OnFdReadable() override { inner.OnFdReadable(); }
    bool Ready() const override { return inner.Ready(); }
    void Run() override { inner.Run(); }
    void PrepareToSleep() override {
      inner.PrepareToSleep();
      if (inner.readable_calls > 0 && offers-- > 0) inner.OfferWork();
    }
    void Awake() override { inner.Awake(); }
    FakePollable inner;
    int offers = 50;
  };
  Poller* const poller = ThePoller();
  const auto pollable = std::make_shared<Sleepy>();
  poller->Add(pollable);
  pollable->inner.Signal();
  EXPECT_TRUE(Eventually([&] { return pollable->inner.run_calls == 50; }));
  EXPECT_TRUE(Eventually([&] { return pollable->inner.asleep.load(); }));
  poller->Remove(pollable.get());
  Flush(poller);
}

TEST(PollerTest, WhatIsRemovedIsLetGo) {
  Poller* const poller = ThePoller();
  for (const bool hot : {false, true}) {
    auto pollable = std::make_shared<FakePollable>();
    pollable->spin = hot ? 1'000'000'000 : 0;
    poller->Add(pollable);
    pollable->Signal();
    ASSERT_TRUE(Eventually([&] { return pollable->readable_calls > 0; }));
    poller->Remove(pollable.get());
    poller->Remove(pollable.get());  // a second time does nothing
    const std::weak_ptr<FakePollable> weak = pollable;
    pollable.reset();
    EXPECT_TRUE(Eventually([&] { return weak.expired(); }));
  }
}

TEST(PollerTest, PollablesRemoveThemselvesAndAddOthersInsideCallbacks) {
  Poller* const poller = ThePoller();
  std::atomic<int> generations{0};
  std::function<void()> spawn = [&] {
    auto pollable = std::make_shared<FakePollable>();
    FakePollable* const self = pollable.get();
    pollable->on_readable = [&, self] { self->OfferWork(); };
    pollable->on_run = [&, self] {
      poller->Remove(self);
      if (++generations < 100) spawn();
    };
    pollable->Signal();
    poller->Add(std::move(pollable));
  };
  spawn();
  EXPECT_TRUE(Eventually([&] { return generations == 100; }));
}

// Threads add, signal and remove at random. Once removed and let go of by the poller, a
// pollable gets no call: it is gone, which the address sanitizer checks, and its last calls
// were seen by the thread that removed it.
TEST(PollerTest, ComingAndGoingFromManyThreads) {
  Poller* const poller = ThePoller();
  std::atomic<int> calls{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::minstd_rand random(t + 1);
      for (int i = 0; i < kMany / 100; ++i) {
        auto pollable = std::make_shared<FakePollable>();
        pollable->spin = random() % 2 == 0 ? 0 : 20'000;
        pollable->on_readable = [&calls, self = pollable.get()] {
          self->TakeSignals();
          self->OfferWork();
          ++calls;
        };
        poller->Add(pollable);
        if (random() % 4 != 0) pollable->Signal();
        if (random() % 4 != 0) std::this_thread::yield();
        if (random() % 4 == 0) Flush(poller);
        poller->Remove(pollable.get());
        const std::weak_ptr<FakePollable> weak = pollable;
        pollable.reset();
        ASSERT_TRUE(Eventually([&] { return weak.expired(); }));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(calls, 0);
}

TEST(PollerTest, ClosuresThatTakeLongAreNoticed) {
  Watchdog* const watchdog = new Watchdog(1);
  Poller* const poller = watchdog->Assign();
  EXPECT_TRUE(poller->closure_times().AreShort());
  for (int i = 0; i < 20; ++i) {
    poller->Enqueue([] { absl::SleepFor(absl::Microseconds(500)); });
  }
  Flush(poller);
  EXPECT_FALSE(poller->closure_times().AreShort());
}

}  // namespace
}  // namespace grpc_cxl::internal
