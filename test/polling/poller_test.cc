// SPDX-License-Identifier: Apache-2.0
// Proves what the poller promises while nobody blocks: closures run in order, one at a time;
// descriptors and ready memory lead to calls; pollables come and go from any thread and from
// inside callbacks; what is removed is let go; the sleep protocol is kept step by step.

#include "grpc_cxl/polling/poller.h"

#include <sys/wait.h>
#include <unistd.h>

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
#include "grpc_cxl/base/steady_clock.h"
#include "gtest/gtest.h"
#include "test/polling/fake_pollable.h"
#include "test/support/budget.h"
#include "test/support/eventually.h"

namespace grpc_cxl::internal {
namespace {

constexpr int kMany = static_cast<int>(Budget(100'000));

class PollerTest : public ::testing::Test {
 protected:
  Poller* const poller_ = OnePoller();
};

TEST_F(PollerTest, ClosuresRunInOrderOneAtATime) {
  constexpr int kBatch = 1000;
  struct Batch {
    // Closures that overlap write to different places.
    std::vector<int> order = std::vector<int>(kBatch);
    std::atomic<size_t> ran{0};
    std::atomic<int> inside{0}, overlaps{0};
  };
  for (int undisturbed = 0; undisturbed < kMany / kBatch;) {
    const uint64_t takeovers = OneWatchdog()->takeovers();
    const auto batch = std::make_shared<Batch>();
    for (int i = 0; i < kBatch; ++i) {
      poller_->Enqueue([batch, i] {
        batch->overlaps += batch->inside.fetch_add(1);
        batch->order[batch->ran++] = i;
        batch->inside.fetch_sub(1);
      });
    }
    Flush(poller_);
    // A leader that the kernel took off its core in a closure may have been replaced, and be in it
    // still.
    if (OneWatchdog()->takeovers() != takeovers) continue;
    ++undisturbed;
    EXPECT_EQ(batch->overlaps, 0);
    ASSERT_EQ(batch->ran, static_cast<size_t>(kBatch));
    for (int i = 0; i < kBatch; ++i) ASSERT_EQ(batch->order[i], i);
  }
}

TEST_F(PollerTest, ATurnRunsTheQueuedClosuresAndBeginsOnePieceOfDeferredWork) {
  std::vector<std::string> order;
  absl::Notification done;
  poller_->Enqueue([&] {
    std::vector<absl::AnyInvocable<void()>> work;
    work.push_back([&] {
      order.push_back("a");
      poller_->Enqueue([&] {
        order.push_back("a's");
        poller_->Enqueue([&] { order.push_back("a's closure's"); });
      });
    });
    work.push_back([&] { order.push_back("b"); });
    work.push_back([&] {
      order.push_back("c");
      done.Notify();
    });
    poller_->Defer(std::move(work));
    EXPECT_TRUE(poller_->HasDeferred());
    poller_->Enqueue([&] { order.push_back("before"); });
  });
  done.WaitForNotification();
  Flush(poller_);
  EXPECT_FALSE(poller_->HasDeferred());
  // The first turn ends with the first closure, and with a.
  EXPECT_EQ(order, (std::vector<std::string>{"a", "before", "a's", "b", "a's closure's", "c"}));
}

TEST_F(PollerTest, MoreUrgentDeferredWorkBeginsFirst) {
  std::string order;
  poller_->Enqueue([&] {
    for (const auto& [name, priority] : {std::pair("bulk ", Priority::kBulk),
                                         {"default ", Priority::kDefault},
                                         {"interactive ", Priority::kInteractive}}) {
      std::vector<absl::AnyInvocable<void()>> work;
      for (int i = 0; i < 2; ++i) work.push_back([&order, name = name] { order += name; });
      poller_->Defer(std::move(work), priority);
    }
  });
  for (int i = 0; i < 8; ++i) Flush(poller_);  // a turn each
  EXPECT_EQ(order, "interactive interactive default default bulk bulk ");
}

// However long the one goes on, the other waits for a turn, not for it to run dry.
TEST_F(PollerTest, ClosuresAndDeferredWorkDoNotStarveEachOther) {
  const auto defer = [&](std::function<void()> piece) {
    std::vector<absl::AnyInvocable<void()>> work;
    work.push_back(std::move(piece));
    poller_->Defer(std::move(work));
  };
  const auto enqueue = [&](std::function<void()> piece) { poller_->Enqueue(std::move(piece)); };
  const auto waits = [&](auto goes_on, auto other) {
    std::atomic<int> runs = 0, others = 0, waited_long = 0;
    std::function<void()> again = [&] {
      if (++runs == 10'000) return;
      if (runs % 100 == 0) {
        other([&, at = runs.load()] {
          waited_long += runs > at + 10;
          ++others;
        });
      }
      goes_on(again);
    };
    goes_on(again);
    EXPECT_TRUE(Eventually([&] { return runs == 10'000 && others == 99; }));
    return waited_long.load();
  };
  EXPECT_LT(waits(enqueue, defer), 50);
  EXPECT_LT(waits(defer, enqueue), 50);
}

// From a thread that is no leader, the leader asleep: it is woken.
TEST_F(PollerTest, DeferredWorkWakesTheLeader) {
  for (int i = 0; i < 1000; ++i) {
    absl::Notification done;
    std::vector<absl::AnyInvocable<void()>> work;
    work.push_back([&] { done.Notify(); });
    poller_->Defer(std::move(work));
    ASSERT_TRUE(done.WaitForNotificationWithTimeout(absl::Minutes(1))) << i;
  }
}

TEST_F(PollerTest, CurrentIsThePollerInsideCallbacksAndNullOutside) {
  const auto pollable = std::make_shared<FakePollable>();
  std::atomic<Poller*> in_closure{nullptr}, in_readable{nullptr}, in_run{nullptr};
  std::atomic<uint64_t> callbacks[2] = {};
  pollable->on_readable = [&] {
    pollable->TakeSignals();
    callbacks[0] = Poller::CurrentCallback();
    in_readable = Poller::Current();
    pollable->OfferWork();
  };
  pollable->on_run = [&] {
    callbacks[1] = Poller::CurrentCallback();
    in_run = Poller::Current();
  };
  poller_->Add(pollable);
  poller_->Enqueue([&] { in_closure = Poller::Current(); });
  pollable->Signal();
  EXPECT_TRUE(Eventually([&] { return in_closure == poller_; }));
  EXPECT_TRUE(Eventually([&] { return in_readable == poller_; }));
  EXPECT_TRUE(Eventually([&] { return in_run == poller_; }));
  EXPECT_NE(callbacks[0], callbacks[1]);
  EXPECT_EQ(Poller::Current(), nullptr);
  EXPECT_EQ(Poller::CurrentCallback(), 0);
  poller_->Remove(pollable.get());
  Flush(poller_);
}

// A closure that enqueues itself for ever must not keep connections waiting.
TEST_F(PollerTest, ClosuresDoNotStarveDescriptors) {
  std::atomic<bool> stop{false}, stopped{false};
  std::function<void()> again = [&] { stop ? stopped.store(true) : poller_->Enqueue(again); };
  poller_->Enqueue(again);
  const auto pollable = std::make_shared<FakePollable>();
  // Signals and not calls: one that comes before the last is taken is taken along with it.
  std::atomic<uint64_t> taken{0};
  pollable->on_readable = [&taken, &pollable = *pollable] { taken += pollable.TakeSignals(); };
  poller_->Add(pollable);
  for (uint64_t i = 1; i <= 20; ++i) {
    pollable->Signal();
    ASSERT_TRUE(Eventually([&] { return taken >= i; }));
  }
  poller_->Remove(pollable.get());
  stop = true;
  EXPECT_TRUE(Eventually([&] { return stopped.load(); }));
}

// What it learns of them says how long to spin.
TEST_F(PollerTest, SleepsCountHoweverLongTheWorkBeforeThemTook) {
  Poller* const poller = (new Watchdog(1, /*cores=*/1))->Assign();
  const auto pollable = std::make_shared<FakePollable>();
  pollable->on_readable = [&pollable = *pollable] {
    pollable.TakeSignals();
    for (const int64_t end = SteadyNs() + 100'000; SteadyNs() < end;) {
    }
  };
  poller->Add(pollable);
  EXPECT_TRUE(Eventually([&] {
    if (pollable->asleep) pollable->Signal();
    return poller->figures().sleeps.value() >= 10;
  }));
  poller->Remove(pollable.get());
}

// Asleep -> signal -> Awake -> looked at until its longest spin has brought nothing ->
// PrepareToSleep, one more look -> asleep.
TEST_F(PollerTest, TheSleepProtocolStepByStep) {
  const auto pollable = std::make_shared<FakePollable>();
  pollable->spin = 1'000'000;
  poller_->Add(pollable);
  EXPECT_TRUE(pollable->asleep) << "added asleep: the peer has to wake it";
  EXPECT_EQ(pollable->looks, 1);
  pollable->Signal();
  ASSERT_TRUE(Eventually([&] { return pollable->naps == 2; }));
  ASSERT_TRUE(Eventually([&] { return pollable->asleep.load(); }));
  EXPECT_EQ(pollable->readable_calls, 1);
  EXPECT_EQ(pollable->run_calls, 0);
  EXPECT_GE(pollable->looks, 2);

  // Work that is there when it wakes up is done, and looked for again.
  pollable->OfferWork();
  pollable->Signal();
  ASSERT_TRUE(Eventually([&] { return pollable->run_calls == 1; }));
  ASSERT_TRUE(Eventually([&] { return pollable->asleep.load(); }));
  EXPECT_EQ(pollable->naps, 3);
  const int looks = pollable->looks;
  Flush(poller_);
  EXPECT_EQ(pollable->looks, looks) << "asleep, it is not looked at";
  poller_->Remove(pollable.get());
}

// Work that comes between the last look and the sleep is found by the look after
// PrepareToSleep(), also the first one, in Add(). Here it comes at exactly that moment.
TEST_F(PollerTest, WorkThatComesWhileFallingAsleepIsFound) {
  const auto pollable = std::make_shared<FakePollable>();
  int offers = 50;
  pollable->on_falling_asleep = [&] {
    if (offers-- > 0) pollable->OfferWork();
  };
  poller_->Add(pollable);
  EXPECT_TRUE(Eventually([&] { return pollable->run_calls == 50; }));
  EXPECT_TRUE(Eventually([&] { return pollable->asleep.load(); }));
  poller_->Remove(pollable.get());
  Flush(poller_);
}

TEST_F(PollerTest, WhatIsRemovedIsLetGo) {
  enum class Kind { kCold, kHot, kCannotWakeUs };
  for (const Kind kind : {Kind::kCold, Kind::kHot, Kind::kCannotWakeUs}) {
    auto pollable = std::make_shared<FakePollable>();
    pollable->spin = kind == Kind::kHot ? 1'000'000'000 : 0;
    pollable->has_fd = kind != Kind::kCannotWakeUs;
    poller_->Add(pollable);
    pollable->Signal();
    ASSERT_TRUE(Eventually(
        [&] { return pollable->has_fd ? pollable->readable_calls > 0 : pollable->naps > 0; }));
    poller_->Remove(pollable.get());
    poller_->Remove(pollable.get());  // a second time does nothing
    const std::weak_ptr<FakePollable> weak = pollable;
    pollable.reset();
    EXPECT_TRUE(Eventually([&] { return weak.expired(); }));
  }
}

// The first signal comes before the pollable is added.
TEST_F(PollerTest, AForkedChildTakesNothingFromItsParent) {
  const auto pollable = std::make_shared<FakePollable>();
  const auto childs = std::make_shared<FakePollable>(), next = std::make_shared<FakePollable>();
  poller_->Add(pollable);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    poller_->Add(childs);
    poller_->Remove(pollable.get());
    _exit(0);
  }
  int status;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  pollable->Signal();
  EXPECT_TRUE(Eventually([&] { return pollable->readable_calls > 0; }));
  // Its number would be that of the child's.
  poller_->Add(next);
  childs->Signal();
  pollable->Signal();
  EXPECT_TRUE(Eventually([&] { return pollable->readable_calls > 1; }));
  EXPECT_EQ(next->readable_calls, 0);
  poller_->Remove(next.get());
  poller_->Remove(pollable.get());
}

TEST_F(PollerTest, PollablesRemoveThemselvesAndAddOthersInsideCallbacks) {
  std::atomic<int> generations{0};
  std::function<void()> spawn = [&] {
    auto pollable = std::make_shared<FakePollable>();
    FakePollable* const self = pollable.get();
    pollable->on_readable = [&, self] { self->OfferWork(); };
    pollable->on_run = [&, self] {
      poller_->Remove(self);
      if (++generations < 100) spawn();
    };
    pollable->Signal();
    poller_->Add(std::move(pollable));
  };
  spawn();
  EXPECT_TRUE(Eventually([&] { return generations == 100; }));
}

// Threads add, signal, enqueue and remove at random. Once removed and let go of by the poller, a
// pollable gets no call: it is gone, which the address sanitizer checks, and its last calls
// were seen by the thread that removed it.
TEST_F(PollerTest, ComingAndGoingFromManyThreads) {
  std::atomic<int> calls{0};
  const auto come_and_go = [&](int seed) {
    std::minstd_rand random(seed);
    for (int i = 0; i < kMany / 100; ++i) {
      auto pollable = std::make_shared<FakePollable>();
      pollable->spin = random() % 2 == 0 ? 0 : 20'000;
      pollable->on_readable = [&calls, self = pollable.get()] {
        self->TakeSignals();
        self->OfferWork();
        ++calls;
      };
      poller_->Add(pollable);
      if (random() % 4 != 0) pollable->Signal();
      if (random() % 4 != 0) std::this_thread::yield();
      if (random() % 4 == 0) Flush(poller_);
      poller_->Remove(pollable.get());
      const std::weak_ptr<FakePollable> weak = pollable;
      pollable.reset();
      ASSERT_TRUE(Eventually([&] { return weak.expired(); }));
    }
  };
  std::vector<std::thread> threads;
  for (const int seed : {1, 2, 3, 4}) threads.emplace_back(come_and_go, seed);
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(calls, 0);
}

}  // namespace
}  // namespace grpc_cxl::internal
