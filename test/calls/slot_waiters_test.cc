// SPDX-License-Identifier: Apache-2.0
// Proves what the client's threads promise each other while they wait for calls: a thread that
// stops looking wakes those whose calls are done, and one looks out for all while that pays.
// calls_stress_test proves that no wake-up is lost.

#include "grpc_cxl/calls/slot_waiters.h"

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

constexpr int64_t kForEver = 60'000'000'000;  // ns; a test that sleeps this long has failed
constexpr int64_t kEver = INT64_MAX;          // a time that does not come

constexpr absl::Duration kNever = absl::ZeroDuration();
constexpr absl::Duration kLong = absl::Seconds(600);

// Threads that are parked on some slots until these have another word, and the test's own
// thread, which looks.
class Scene {
  SharedU32 awake_{0};
  const std::unique_ptr<CallServerSlot[]> slots_{new CallServerSlot[kCallSlots]()};

 public:
  Scene(WaitPolicy policy, absl::Duration most, const std::vector<int>& slots)
      : waiters(&awake_, slots_.get(), SpinBudget(policy, most)) {
    for (const int slot : slots) threads_.emplace_back([=, this] { Sleep(slot); });
    // A thread stops looking when it is as good as asleep.
    while (started_ < std::ssize(slots) || awake_ != 0) absl::SleepFor(absl::Milliseconds(1));
    waiters.StartLooking();
  }
  ~Scene() {
    StopLooking();
    for (size_t slot = 0; slot < kCallSlots; ++slot) {  // also after a failure
      Finish(static_cast<int>(slot));
      waiters.Wake(static_cast<int>(slot));
    }
    for (std::thread& thread : threads_) thread.join();
  }

  SlotWaiters waiters;

  void StopLooking() {  // the test's thread
    if (std::exchange(looking_, false)) waiters.StopLooking();
  }
  // What a server does that leaves the waking to the client.
  void Finish(int slot) { slots_[slot].word.store(MakeCallWord(1, 0, CallState::kDone)); }
  bool WokenSoon(int slot) {
    return woken_[slot].WaitForNotificationWithTimeout(absl::Seconds(30));
  }

 private:
  void Sleep(int slot) {
    waiters.StartLooking();
    ++started_;
    while (slots_[slot].word.load() == 0) waiters.Park(slot, 0, kForEver);
    woken_[slot].Notify();
    waiters.StopLooking();
  }

  bool looking_ = true;
  std::atomic<int> started_{0};
  absl::Notification woken_[kCallSlots];
  std::vector<std::thread> threads_;
};

TEST(SlotWaitersTest, AThreadThatStopsLookingWakesThoseWhoseCallsAreDone) {
  Scene scene(WaitPolicy::kSpin, kNever, {1, 2});
  scene.Finish(1);
  scene.Finish(2);
  scene.StopLooking();
  EXPECT_TRUE(scene.WokenSoon(1));
  EXPECT_TRUE(scene.WokenSoon(2));
}

TEST(SlotWaitersTest, OneLooksOutForAll) {
  Scene scene(WaitPolicy::kSpin, kLong, {1, 2});
  int step = 0;
  EXPECT_TRUE(scene.waiters.LookOut(kEver, [&] {
    if (step == 2) return scene.WokenSoon(2);
    EXPECT_TRUE(step == 0 || scene.WokenSoon(1)) << "while this thread looks out, awake";
    scene.Finish(++step);
    return false;
  }));
  EXPECT_EQ(step, 2);
}

// Others' calls end again and again, so that looking out pays; yet it has a deadline itself.
TEST(SlotWaitersTest, LookingOutEndsAtItsOwnTime) {
  Scene scene(WaitPolicy::kSpin, kLong, {1, 2});
  int looks = 0;
  EXPECT_FALSE(scene.waiters.LookOut(/*until_ns=*/1, [&] {
    if (++looks == 1) scene.Finish(1);
    return looks > 1;  // too late
  }));
  EXPECT_EQ(looks, 1);
  EXPECT_TRUE(scene.WokenSoon(1));
}

TEST(SlotWaitersTest, NobodyLooksOutInVain) {
  const auto looks_out = [](Scene& scene) {
    return scene.waiters.LookOut(kEver, [] { return true; });
  };
  Scene alone(WaitPolicy::kSpin, kLong, {});
  EXPECT_FALSE(looks_out(alone)) << "there is nobody to look out for";
  Scene parks(WaitPolicy::kPark, kLong, {3});
  EXPECT_FALSE(looks_out(parks)) << "this policy never spins";
  Scene scene(WaitPolicy::kSpin, kLong, {3});
  scene.waiters.StartLooking();  // as another thread would
  EXPECT_FALSE(looks_out(scene)) << "another one looks";
  scene.waiters.StopLooking();
  EXPECT_TRUE(looks_out(scene));
}

TEST(SlotWaitersTest, NewsThatIsNoneWakesNobody) {
  Scene scene(WaitPolicy::kSpin, kNever, {5});
  EXPECT_EQ(scene.waiters.WakeParked(), 0) << "nothing has changed";
  scene.Finish(5);
  EXPECT_EQ(scene.waiters.WakeParked(), 1);
  EXPECT_EQ(scene.waiters.WakeParked(), 0) << "it is awake already";
  EXPECT_TRUE(scene.WokenSoon(5));
}

}  // namespace
}  // namespace grpc_cxl::internal
