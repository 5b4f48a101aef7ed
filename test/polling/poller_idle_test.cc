// SPDX-License-Identifier: Apache-2.0
// Proves that a process with nothing to do does nothing: with a hundred pollables asleep,
// after work and after callbacks that blocked, neither the polling threads nor the watchdog
// wake up even once in a while; the watchdog looks once after a callback, and not while callbacks
// return, unless another runs on; and the looks at pollables that nobody can wake are bounded.

#include <memory>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/doorbell/back_off.h"
#include "gtest/gtest.h"
#include "test/polling/fake_pollable.h"
#include "test/polling/threads.h"
#include "test/support/eventually.h"

namespace grpc_cxl::internal {
namespace {

TEST(PollerIdleTest, NoThreadWakesUp) {
  Watchdog* const watchdog = new Watchdog(2);
  std::vector<std::shared_ptr<FakePollable>> pollables;
  for (int i = 0; i < 100; ++i) {
    pollables.push_back(std::make_shared<FakePollable>());
    pollables.back()->spin = 50'000;
    watchdog->Assign()->Add(pollables.back());
    pollables.back()->Signal();
  }
  Poller* const poller = watchdog->Assign();
  poller->Enqueue([&] { absl::SleepFor(absl::Milliseconds(20)); });
  Flush(poller);
  for (const auto& pollable : pollables) {
    ASSERT_TRUE(Eventually([&] { return pollable->readable_calls > 0 && pollable->asleep; }));
  }
  // The watchdog looks once or twice more, the kernel may be late: a second in which nothing
  // happens is all that is asked, and it must come. (Superfluous threads wait for 10 s.)
  bool quiet = false;
  for (int tries = 0; !quiet && tries < 30; ++tries) {
    const uint64_t before = Threads("cxl_").naps;
    absl::SleepFor(absl::Seconds(1));
    quiet = Threads("cxl_").naps == before;
  }
  EXPECT_TRUE(quiet);
}

TEST(PollerIdleTest, TheWatchdogLooksOnceAfterACallback) {
  constexpr int kCallbacks = 50;
  const uint64_t before = Threads("cxl_watchdog").naps;
  for (int i = 0; i < kCallbacks; ++i) {
    Flush(OnePoller());
    absl::SleepFor(absl::Milliseconds(10));  // longer than it waits
  }
  const uint64_t looks = Threads("cxl_watchdog").naps - before;
  EXPECT_GT(looks, 0u);
  EXPECT_LT(looks, kCallbacks * 3 / 2);  // a second look each time would be 2
}

// A busy machine may hold the poller up now and then, so one good stretch is all that is asked.
TEST(PollerIdleTest, TheWatchdogSleepsWhileCallbacksReturn) {
  bool slept = false;
  for (int tries = 0; !slept && tries < 100; ++tries) {
    const uint64_t before = Threads("cxl_watchdog").naps;
    int callbacks = 0;
    for (const absl::Time end = absl::Now() + absl::Milliseconds(100); absl::Now() < end;) {
      Flush(OnePoller());
      ++callbacks;
    }
    slept =
        callbacks > 500 && Threads("cxl_watchdog").naps <= before + 5;  // of 25 that there may be
  }
  EXPECT_TRUE(slept);
}

// Progress of others, that is. Its time lies ahead: if it counted, the watchdog would sleep so
// long.
TEST(PollerIdleTest, TheWatchdogSleepsNoLongerWhileACallbackRuns) {
  auto* const watchdog = new Watchdog(1, /*cores=*/1);
  absl::Notification began;
  const auto go_on = std::make_shared<absl::Notification>();
  watchdog->Assign()->Enqueue([&began, go_on] {
    began.Notify();
    go_on->WaitForNotification();
  });
  began.WaitForNotification();
  watchdog->NoteProgress(SteadyNs() + int64_t{3'600'000'000'000});
  EXPECT_TRUE(Eventually([&] { return watchdog->takeovers() == 1; }));
  go_on->Notify();
}

class UnwakeableTest : public ::testing::Test {
 protected:
  UnwakeableTest() { pollable_->has_fd = false; }
  void Start() {
    OnePoller()->Add(pollable_);
    ASSERT_TRUE(Eventually([&] { return pollable_->naps > 0; }));
  }
  ~UnwakeableTest() override { OnePoller()->Remove(pollable_.get()); }

  const std::shared_ptr<FakePollable> pollable_ = std::make_shared<FakePollable>();
};

TEST_F(UnwakeableTest, WorkIsFoundWithoutADescriptor) {
  Start();
  for (int i = 1; i <= 20; ++i) {
    absl::SleepFor(absl::Milliseconds(i % 5));  // naps of all lengths
    pollable_->OfferWork();
    ASSERT_TRUE(Eventually([&] { return pollable_->run_calls == i; })) << i;
  }
}

TEST_F(UnwakeableTest, TheEndOfThePeerIsFoundAndToldOnce) {
  pollable_->on_readable = [raw = pollable_.get()] { raw->peer_gone = false; };
  Start();
  const int before = pollable_->readable_calls;
  pollable_->peer_gone = true;
  EXPECT_TRUE(Eventually([&] { return pollable_->readable_calls == before + 1; }));
  EXPECT_FALSE(pollable_->peer_gone);
}

// At most one look in each of the longest naps, and a few while they grow; how many fewer is
// the kernel's business.
TEST_F(UnwakeableTest, IdleLooksAreBounded) {
  Start();
  absl::SleepFor(absl::Milliseconds(20));
  const int before = pollable_->looks;
  const absl::Time start = absl::Now();
  absl::SleepFor(absl::Milliseconds(500));
  const int looks = pollable_->looks - before;
  const double naps = absl::ToDoubleNanoseconds(absl::Now() - start) / BackOff::kLongestNs;
  EXPECT_GT(looks, 0);
  EXPECT_LE(looks, naps + 10);
}

}  // namespace
}  // namespace grpc_cxl::internal
