// Proves what the client's threads promise each other while they wait for calls: whoever stops
// looking wakes those whose calls are done, one looks out for all while that pays, and nobody
// ever sleeps over an answer, however the server and the threads meet.

#include "grpc_cxl/calls/slot_waiters.h"

#include <atomic>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "test/calls/call_pair.h"

namespace grpc_cxl::internal {
namespace {

constexpr int64_t kForEver = 60'000'000'000;  // ns; a test that sleeps this long has failed
constexpr int64_t kEver = INT64_MAX;          // a time that does not come
constexpr absl::Duration kSoon = absl::Seconds(30);

SpinBudget Spin(absl::Duration most) { return SpinBudget(WaitPolicy::kSpin, most); }

struct Fixture {
  explicit Fixture(SpinBudget spin) : waiters(&awake, slots.get(), spin) {}

  // What a server does that leaves the waking to the client.
  void Finish(int slot) { slots[slot].word.store(MakeCallWord(1, 0, CallState::kDone)); }

  SharedU32 awake{0};
  std::unique_ptr<CallServerSlot[]> slots{new CallServerSlot[kCallSlots]()};
  SlotWaiters waiters;
};

// A thread that is parked on a slot until that has another word.
class Sleeper {
 public:
  Sleeper(Fixture* fixture, int slot)
      : fixture_(fixture), slot_(slot), thread_([this, fixture, slot] {
          SlotWaiters& waiters = fixture->waiters;
          waiters.StartLooking();
          started_ = true;
          while (fixture->slots[slot].word.load() == 0) waiters.Park(slot, 0, kForEver);
          woken_.Notify();
          waiters.StopLooking();
        }) {
    // It stops looking when it is as good as asleep.
    while (!started_ || fixture->awake.load() != 0) absl::SleepFor(absl::Milliseconds(1));
  }
  ~Sleeper() {  // also after a failure
    fixture_->Finish(slot_);
    fixture_->waiters.Wake(slot_);
    thread_.join();
  }

  bool WokenSoon() { return woken_.WaitForNotificationWithTimeout(kSoon); }

 private:
  Fixture* const fixture_;
  const int slot_;
  std::atomic<bool> started_{false};
  absl::Notification woken_;
  std::thread thread_;
};

TEST(SlotWaitersTest, WhoStopsLookingWakesThoseWhoseCallsAreDone) {
  Fixture fixture(Spin(absl::ZeroDuration()));
  Sleeper one(&fixture, 1), two(&fixture, 2);
  fixture.waiters.StartLooking();
  fixture.Finish(1);
  fixture.Finish(2);
  fixture.waiters.StopLooking();
  EXPECT_TRUE(one.WokenSoon());
  EXPECT_TRUE(two.WokenSoon());
}

TEST(SlotWaitersTest, OneLooksOutForAll) {
  Fixture fixture(Spin(absl::Seconds(600)));
  Sleeper one(&fixture, 1), two(&fixture, 2);
  fixture.waiters.StartLooking();
  int step = 0;
  EXPECT_TRUE(fixture.waiters.LookOut(kEver, [&] {
    switch (step++) {
      case 0:
        fixture.Finish(1);
        return false;
      case 1:
        EXPECT_TRUE(one.WokenSoon()) << "while this thread looks out, awake as it is";
        fixture.Finish(2);
        return false;
      default:
        return two.WokenSoon();
    }
  }));
  EXPECT_EQ(step, 3);
  fixture.waiters.StopLooking();
}

// Others' calls end again and again, so that looking out pays; yet it has a deadline itself.
TEST(SlotWaitersTest, WhoLooksOutKeepsItsOwnTime) {
  Fixture fixture(Spin(absl::Seconds(600)));
  Sleeper one(&fixture, 1), two(&fixture, 2);
  fixture.waiters.StartLooking();
  int looks = 0;
  EXPECT_FALSE(fixture.waiters.LookOut(/*until_ns=*/1, [&] {
    if (++looks == 1) fixture.Finish(1);
    return looks > 1;  // too late
  }));
  EXPECT_EQ(looks, 1);
  EXPECT_TRUE(one.WokenSoon());
  fixture.waiters.StopLooking();
}

TEST(SlotWaitersTest, NobodyLooksOutInVain) {
  Fixture alone(Spin(absl::Seconds(600)));
  alone.waiters.StartLooking();
  EXPECT_FALSE(alone.waiters.LookOut(kEver, [] { return true; }))
      << "there is nobody to look out for";
  alone.waiters.StopLooking();

  Fixture second(Spin(absl::Seconds(600)));
  Sleeper sleeper(&second, 3);
  second.waiters.StartLooking();
  second.waiters.StartLooking();  // as another thread would
  EXPECT_FALSE(second.waiters.LookOut(kEver, [] { return true; })) << "another one looks";
  second.waiters.StopLooking();
  second.Finish(3);
  second.waiters.StopLooking();
  EXPECT_TRUE(sleeper.WokenSoon());

  Fixture park(SpinBudget(WaitPolicy::kPark, absl::Seconds(600)));
  Sleeper parked(&park, 3);
  park.waiters.StartLooking();
  EXPECT_FALSE(park.waiters.LookOut(kEver, [] { return true; })) << "this policy never spins";
  park.Finish(3);
  park.waiters.StopLooking();
  EXPECT_TRUE(parked.WokenSoon());
}

TEST(SlotWaitersTest, NewsThatIsNoneWakesNobody) {
  Fixture fixture(Spin(absl::ZeroDuration()));
  Sleeper sleeper(&fixture, 5);
  fixture.waiters.StartLooking();
  EXPECT_EQ(fixture.waiters.WakeParked(), 0) << "nothing has changed";
  fixture.Finish(5);
  EXPECT_EQ(fixture.waiters.WakeParked(), 1);
  EXPECT_EQ(fixture.waiters.WakeParked(), 0) << "it is awake already";
  EXPECT_TRUE(sleeper.WokenSoon());
  fixture.waiters.StopLooking();
}

class SlotWaitersStressTest : public testing::TestWithParam<WaitPolicy> {};

// A server that answers after random pauses, large answers in parts, and many threads that
// wait for each other's. A wake-up that is lost leaves its thread asleep until the test fails.
TEST_P(SlotWaitersStressTest, NobodySleepsOverAnAnswer) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  constexpr int kThreads = 6, kCalls = 1'000;
#else
  constexpr int kThreads = 8, kCalls = 10'000;
#endif
  CallPair pair(SpinBudget(GetParam(), absl::Microseconds(50)));
  std::atomic<bool> over{false};
  std::thread server([&] {
    std::minstd_rand random(1);
    std::vector<std::pair<ServerCalls::CallId, std::string>> running;
    while (!over) {
      const ServerCalls::News news = pair.server.Run();
      EXPECT_TRUE(news.status.ok());
      for (const auto& call : news.taken) running.emplace_back(call.id, call.request);
      for (int pause = random() % 2000; pause > 0; --pause) over.load();
      if (running.empty()) {
        std::this_thread::yield();
      } else {
        const size_t i = random() % running.size();
        pair.server.Respond(running[i].first, running[i].second);
        running.erase(running.begin() + static_cast<ptrdiff_t>(i));
      }
    }
  });
  std::vector<std::thread> callers;
  for (int t = 0; t < kThreads; ++t) {
    callers.emplace_back([&, t] {
      std::minstd_rand random(t + 2);
      for (int i = 0; i < kCalls; ++i) {
        const std::string request = std::to_string(t) + ":" + std::to_string(i);
        const int slot = pair.client.Acquire();
        ASSERT_GE(slot, 0);
        memcpy(pair.client.RequestBuffer(slot).data(), request.data(), request.size());
        pair.client.Post(slot, request.size(), SIZE_MAX);
        CallOutcome outcome;
        bool found_spinning;
        const absl::Time start = absl::Now();
        ASSERT_EQ(pair.client.Wait(slot, random() % 4 == 0 ? 20'000 : 0, kForEver, &outcome,
                                   &found_spinning),
                  ClientCalls::Waited::kDone);
        ASSERT_EQ(outcome.response, request);
        ASSERT_LT(absl::Now() - start, kSoon) << "its patience woke it, nobody else";
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  over = true;
  server.join();
  EXPECT_EQ(pair.client_words().awake.load(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Policies, SlotWaitersStressTest,
                         testing::Values(WaitPolicy::kPark, WaitPolicy::kAdaptive,
                                         WaitPolicy::kSpin));

}  // namespace
}  // namespace grpc_cxl::internal
