// SPDX-License-Identifier: Apache-2.0
// Proves that work which waits goes to other threads while a core is free, each piece once, and
// that a helper which blocks takes nobody's place; that a process without free cores has no
// helpers; and how long work may wait.

#include <sched.h>

#include <atomic>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/synchronization/notification.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/polling/hand_over_time.h"
#include "grpc_cxl/polling/poller.h"
#include "grpc_cxl/polling/watchdog.h"
#include "gtest/gtest.h"
#include "test/support/eventually.h"

namespace grpc_cxl::internal {
namespace {

constexpr int kPieces = 100;

// Long beside a wake-up, short beside the watchdog's ticks.
void Compute() {
  for (const int64_t end = SteadyNs() + 100'000; SteadyNs() < end;) {
  }
}

// Pieces of work that know how many of them run at once.
class Load {
 public:
  explicit Load(Watchdog* watchdog) : poller_(watchdog->Assign()) {}

  // Has all pieces of one round queued at once, half of them deferred, and runs them.
  void Round(const std::function<void()>& piece) {
    const int before = done_;
    poller_->Enqueue([this, piece] {
      std::vector<absl::AnyInvocable<void()>> work;
      for (int i = 0; i < kPieces / 2; ++i) {
        poller_->Enqueue([this, piece] { Run(piece); });
        work.push_back([this, piece] { Run(piece); });
      }
      poller_->Defer(std::move(work));
    });
    EXPECT_TRUE(Eventually([&] { return done_ == before + kPieces; })) << done_;
  }
  int most_at_once() const { return most_; }
  Poller* poller() const { return poller_; }

 private:
  void Run(const std::function<void()>& piece) {
    EXPECT_EQ(Poller::Current(), poller_);
    const int inside = ++inside_;
    for (int most = most_; most < inside && !most_.compare_exchange_weak(most, inside);) {
    }
    piece();
    --inside_;
    ++done_;
  }

  Poller* const poller_;
  std::atomic<int> inside_{0}, most_{0}, done_{0};
};

TEST(HandOverTest, WaitingWorkRunsOnOtherThreads) {
  auto* const watchdog = new Watchdog(1, /*cores=*/3);
  Load load(watchdog);
  EXPECT_TRUE(Eventually([&] {
    load.Round(Compute);
    return load.most_at_once() >= 2 && watchdog->hand_overs() >= 2;
  }));
  EXPECT_TRUE(Eventually([&] { return load.poller()->working() == 0; }));
}

TEST(HandOverTest, WithoutAFreeCoreTheLeaderWorksAlone) {
  auto* const watchdog = new Watchdog(1, /*cores=*/1);
  Load load(watchdog);
  for (int i = 0; i < 3; ++i) load.Round(Compute);
  EXPECT_EQ(watchdog->hand_overs(), 0u);
}

// A callback of each has both.
TEST(HandOverTest, PollersTakeCoresFromEachOther) {
  auto* const watchdog = new Watchdog(2, /*cores=*/2);
  Load load(watchdog);
  Poller* const other = watchdog->Assign();
  ASSERT_NE(other, load.poller());
  std::atomic<bool> stop{false}, stopped{false};
  const std::function<void()> compute = [&] {
    Compute();
    stop ? stopped.store(true) : other->Enqueue(compute);
  };
  other->Enqueue(compute);
  ASSERT_TRUE(Eventually([&] { return other->working() == 1; }));
  // Not each time: the kernel may take a thread off its core for so long that it is replaced.
  EXPECT_TRUE(Eventually([&] {
    std::atomic<bool> free_at_all{false}, looked{false};
    load.poller()->Enqueue([&] {
      free_at_all = watchdog->HasFreeCore();
      looked = true;
    });
    return Eventually([&] { return looked.load(); }) && !free_at_all;
  }));
  stop = true;
  EXPECT_TRUE(Eventually([&] { return stopped.load(); }));
}

TEST(HandOverTest, HelpersThatBlockAreReplaced) {
  auto* const watchdog = new Watchdog(1, /*cores=*/2);
  Load load(watchdog);
  absl::Notification open;
  std::atomic<int> inside{0};
  std::thread round([&] {
    load.Round([&] {
      if (inside++ < 10) open.WaitForNotification();
    });
  });
  EXPECT_TRUE(Eventually([&] { return inside == kPieces; }));
  open.Notify();
  round.join();
  EXPECT_TRUE(Eventually([&] { return load.poller()->working() == 0; }));
  // None of their places is lost.
  const uint64_t hand_overs = watchdog->hand_overs();
  EXPECT_TRUE(Eventually([&] {
    load.Round(Compute);
    return watchdog->hand_overs() > hand_overs;
  }));
}

TEST(HandOverTest, EachPieceRunsOnceWhereverItComesFrom) {
  auto* const watchdog = new Watchdog(1, /*cores=*/4);
  Poller* const poller = watchdog->Assign();
  constexpr int kThreads = 3, kEach = 3000;
  std::atomic<int> runs{0};
  std::vector<std::atomic<int>> times(kThreads * kEach);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kEach; ++i) {
        const auto piece = [&, at = thread * kEach + i] {
          poller->Enqueue([&, at] {
            ++times[at];
            ++runs;
          });
        };
        std::vector<absl::AnyInvocable<void()>> work;
        work.push_back(piece);
        i % 2 == 0 ? poller->Enqueue(piece) : poller->Defer(std::move(work));
        if (i % 64 == 0) sched_yield();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(Eventually([&] { return runs == kThreads * kEach; }));
  for (const auto& count : times) EXPECT_EQ(count, 1);
}

TEST(HandOverTimeTest, FollowsWhatWakeUpsTake) {
  HandOverTime time;
  EXPECT_EQ(time.Patience(1), 0) << "the first one is tried";
  int64_t now = 1'000'000;
  time.Note(20'000, now);
  EXPECT_EQ(time.Patience(now), 20'000);
  for (int i = 0; i < 50; ++i) time.Note(3'000'000, now);
  EXPECT_NEAR(time.Patience(now), 3'000'000, 1000) << "all cores are taken";
  // Not for ever: one is tried after a while, and when cores are free again they are used.
  EXPECT_EQ(time.Patience(now + 400'000'000), 20'000);
  int tries = 0;
  for (; time.Patience(now) > 25'000 && tries < 100; ++tries) time.Note(20'000, now);
  EXPECT_LT(tries, 50);
}

}  // namespace
}  // namespace grpc_cxl::internal
