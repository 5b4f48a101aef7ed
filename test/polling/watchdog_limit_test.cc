// SPDX-License-Identifier: Apache-2.0
// Proves that a process which can have no more threads survives callbacks that block: their
// poller waits until one of them returns, and goes on.

#include <malloc.h>
#include <sys/resource.h>

#include <fstream>

#include "absl/base/config.h"
#include "absl/log/check.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/polling/poller.h"
#include "grpc_cxl/polling/watchdog.h"
#include "gtest/gtest.h"
#include "test/support/eventually.h"

namespace grpc_cxl::internal {
namespace {

// While it lives, there is no memory for another thread's stack (8 MiB), nor for anything
// of that size.
class NoMoreThreads {
 public:
  NoMoreThreads() {
    PCHECK(getrlimit(RLIMIT_AS, &before_) == 0);
    std::ifstream statm("/proc/self/statm");
    rlim_t pages = 0;
    statm >> pages;
    const rlimit full{pages * 4096 + (2 << 20), before_.rlim_max};
    PCHECK(setrlimit(RLIMIT_AS, &full) == 0);
  }
  ~NoMoreThreads() { PCHECK(setrlimit(RLIMIT_AS, &before_) == 0); }

 private:
  rlimit before_;
};

TEST(WatchdogLimitTest, WithoutThreadsABlockedPollerWaitsAndGoesOn) {
#if defined(ABSL_HAVE_THREAD_SANITIZER) || defined(ABSL_HAVE_ADDRESS_SANITIZER)
  GTEST_SKIP() << "a sanitizer cannot live with a limit on its address space";
#endif
  mallopt(M_ARENA_MAX, 1);  // a heap for each thread would come and go by more than a stack's size
  auto* const watchdog = new Watchdog(1, /*cores=*/2);
  Poller* const poller = watchdog->Assign();
  absl::Notification inside, open, second, third;
  {
    const NoMoreThreads no_more_threads;
    absl::Notification last;
    poller->Enqueue([&] {  // asks for a helper
      for (int i = 0; i < 100; ++i) poller->Enqueue([] {});
      poller->Enqueue([&] { last.Notify(); });
    });
    last.WaitForNotification();
    EXPECT_EQ(watchdog->hand_overs(), 0u);
    poller->Enqueue([&] {
      inside.Notify();
      open.WaitForNotification();
    });
    poller->Enqueue([&] { second.Notify(); });
    inside.WaitForNotification();
    ASSERT_TRUE(Eventually([&] { return watchdog->takeovers() > 0; }));
    absl::SleepFor(absl::Milliseconds(20));
    EXPECT_FALSE(second.HasBeenNotified()) << "there was a thread after all; nothing is tested";
    open.Notify();
    EXPECT_TRUE(second.WaitForNotificationWithTimeout(absl::Minutes(1)));
  }
  poller->Enqueue([&] { third.Notify(); });
  EXPECT_TRUE(third.WaitForNotificationWithTimeout(absl::Minutes(1)));
  EXPECT_TRUE(Eventually([&] {  // helpers come when there can be threads again
    absl::Notification last;
    poller->Enqueue([&] {
      for (int i = 0; i < 100; ++i)
        poller->Enqueue([] { absl::SleepFor(absl::Microseconds(100)); });
      poller->Enqueue([&] { last.Notify(); });
    });
    last.WaitForNotification();
    return watchdog->hand_overs() > 0;
  }));
  // As many as were invited then: no invitation from before has waited for a thread.
  EXPECT_TRUE(Eventually([&] { return poller->working() == 0; }));
}

}  // namespace
}  // namespace grpc_cxl::internal
