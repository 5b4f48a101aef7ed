// SPDX-License-Identifier: Apache-2.0
// Proves what counts as a long closure: sleeping does, computing does when it takes much longer, an
// interruption by another thread does not; and that few short ones are measured.

#include "grpc_cxl/polling/closure_times.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>

#include "grpc_cxl/base/steady_clock.h"
#include "gtest/gtest.h"

namespace {

int g_measured = 0;  // calls of getrusage(): two for each closure that is measured

}  // namespace

// Stands in front of the C library's.
extern "C" int getrusage(__rusage_who_t who, rusage* usage) noexcept {
  ++g_measured;
  return static_cast<int>(syscall(SYS_getrusage, who, usage));
}

namespace grpc_cxl::internal {
namespace {

constexpr int64_t kLong = 200'000;  // ns

int64_t ThreadCpuNs() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}
void Compute(int64_t ns) {
  for (const int64_t end = ThreadCpuNs() + ns; ThreadCpuNs() < end;) {
  }
}
void Sleep(int64_t ns) {
  const timespec time{0, ns};
  nanosleep(&time, nullptr);
}

// Whether the closures are short by the last ones: their number is far beyond what the average
// remembers.
bool AreShort(const std::function<void(int)>& closure) {
  ClosureTimes times;
  EXPECT_TRUE(times.AreShort()) << "at first";
  for (int i = 0; i < 100; ++i) {
    ClosureTimes::Timing timing(times, SteadyNs());
    closure(i);
    timing.End();
  }
  return times.AreShort();
}

TEST(ClosureTimesTest, SleepingCountsAndComputingCountsLess) {
  EXPECT_TRUE(AreShort([](int) { Compute(kLong); })) << "helpers serve these";
  EXPECT_FALSE(AreShort([](int) { Compute(10 * kLong); }));
  EXPECT_FALSE(AreShort([](int) { Sleep(kLong); }));
  EXPECT_FALSE(AreShort([](int i) {
    if (i % 4 == 0) Sleep(5 * kLong);
  }));
}

TEST(ClosureTimesTest, FollowTheAverage) {
  ClosureTimes times;
  times.Note(1'000'000'000, 1'000'000'000);
  EXPECT_FALSE(times.AreShort());
  int short_ones = 0;
  for (; !times.AreShort() && short_ones < 1000; ++short_ones) times.Note(1000, 1000);
  EXPECT_LT(short_ones, 100) << "one long closure hides the short ones for too long";
}

TEST(ClosureTimesTest, AreShortWhenTheyOnlyWaited) {
  ClosureTimes times;
  for (int i = 0; i < 100; ++i) times.Note(1'000'000'000, 1000);
  EXPECT_TRUE(times.AreShort());
}

TEST(ClosureTimesTest, MostAreNotMeasuredWhileTheyAreShort) {
  ClosureTimes times;
  const auto run = [&](int closures, int64_t sleep_ns) {
    const int before = g_measured;
    for (int i = 0; i < closures; ++i) {
      ClosureTimes::Timing timing(times, SteadyNs() - kLong);  // as if it had been interrupted
      if (sleep_ns > 0) Sleep(sleep_ns);
      timing.End();
    }
    return (g_measured - before) / 2;
  };
  run(100, 0);
  const int measured = run(1000, 0);
  EXPECT_GT(measured, 1000 / 16);
  EXPECT_LT(measured, 1000 / 4);
  EXPECT_TRUE(times.AreShort());
  int slept = 0;
  for (; times.AreShort() && slept < 100; ++slept) run(1, kLong);
  EXPECT_LE(slept, 15 + 4);
  EXPECT_EQ(run(20, kLong), 20) << "all, while they are long";
}

// Both threads keep to one core, so that each sched_yield() lets the other run for a while:
// an interruption at a known place.
TEST(ClosureTimesTest, InterruptionsDoNotCount) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);  // inherited by the other thread
  std::atomic<bool> done = false;                         // relaxed: orders nothing
  std::thread other([&] {
    while (!done.load(std::memory_order_relaxed)) {
    }
  });
  int interrupted = 0;
  EXPECT_TRUE(AreShort([&](int) {
    const int64_t start = SteadyNs();
    Compute(1000);
    sched_yield();
    interrupted += SteadyNs() - start > kLong;
  }));
  done.store(true, std::memory_order_relaxed);
  other.join();
  EXPECT_GT(interrupted, 10) << "of 100; this has proved nothing";
}

}  // namespace
}  // namespace grpc_cxl::internal
