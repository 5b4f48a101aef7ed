// Proves that a process with nothing to do does nothing: with a hundred pollables asleep,
// after work and after callbacks that blocked, neither the polling threads nor the watchdog
// wake up even once in a while. And that one with little to do is woken by the watchdog once each
// time.

#include <memory>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/polling/poller.h"
#include "grpc_cxl/polling/watchdog.h"
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
  absl::Notification done;
  watchdog->Assign()->Enqueue([&] {
    absl::SleepFor(absl::Milliseconds(20));
    done.Notify();
  });
  done.WaitForNotification();
  for (const auto& pollable : pollables) {
    ASSERT_TRUE(Eventually([&] { return pollable->readable_calls > 0 && pollable->asleep; }));
  }
  // The watchdog looks once or twice more, the kernel may be late: a second in which nothing
  // happens is all that is asked, and it must come. (Superfluous threads wait for 10 s.)
  bool quiet = false;
  for (int tries = 0; !quiet && tries < 30; ++tries) {
    const uint64_t before = CountNaps("cxl_");
    absl::SleepFor(absl::Seconds(1));
    quiet = CountNaps("cxl_") == before;
  }
  EXPECT_TRUE(quiet);
}

TEST(PollerIdleTest, TheWatchdogLooksOnceAfterACallback) {
  constexpr int kCallbacks = 50;
  Watchdog* const watchdog = new Watchdog(1);
  const uint64_t before = CountNaps("cxl_watchdog");
  for (int i = 0; i < kCallbacks; ++i) {
    absl::Notification done;
    watchdog->Assign()->Enqueue([&] { done.Notify(); });
    done.WaitForNotification();
    absl::SleepFor(absl::Milliseconds(10));  // five ticks
  }
  const uint64_t looks = CountNaps("cxl_watchdog") - before;
  EXPECT_GT(looks, 0u);
  EXPECT_LT(looks, kCallbacks * 3 / 2);  // a second look each time would be 2
}

}  // namespace
}  // namespace grpc_cxl::internal
