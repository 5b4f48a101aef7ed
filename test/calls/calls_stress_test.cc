// SPDX-License-Identifier: Apache-2.0
// Proves that no thread sleeps over its answer and that every call gets its own, however the
// server and many threads of the client meet: the server answers after random pauses, and the
// threads wait for each other's calls, in all ways and under every policy. A wake-up that is
// lost leaves its thread asleep until its patience ends, which fails the test.

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "test/calls/call_pair.h"
#include "test/support/budget.h"

namespace grpc_cxl::internal {
namespace {

constexpr int kThreads = 8;

class CallsStressTest : public ::testing::TestWithParam<WaitPolicy> {
 protected:
  void Serve() {
    std::minstd_rand random(1);
    std::vector<ServerCalls::TakenCall> running;
    while (!over_) {
      ServerCalls::News news = pair_.server.Run();
      EXPECT_TRUE(news.status.ok());
      for (auto& call : news.taken) running.push_back(std::move(call));
      EXPECT_TRUE(!pair_.ClientReady() || pair_.client.Run().ok());
      for (int pause = random() % 2000; pause > 0; --pause) over_.load();
      if (running.empty()) {
        std::this_thread::yield();
        continue;
      }
      std::swap(running[random() % running.size()], running.back());
      pair_.server.Respond(running.back().id, running.back().request + "!");
      running.pop_back();
    }
  }

  void Call(int thread, int calls) {
    std::minstd_rand random(thread + 2);
    for (int i = 0; i < calls; ++i) {
      const std::string request = std::to_string(thread) + ":" + std::to_string(i);
      const int slot = pair_.Post(request);
      ASSERT_GE(slot, 0);
      const absl::Time start = absl::Now();
      if (random() % 8 != 0) {
        ASSERT_EQ(pair_.Wait(slot, random() % 4 == 0 ? 20'000 : 0).response, request + "!");
        ASSERT_LT(absl::Now() - start, absl::Seconds(30)) << "only the end of its patience woke it";
        continue;
      }
      std::atomic<bool> done{false};
      pair_.client.WhenDone(slot, [&](const CallOutcome& outcome) {
        EXPECT_EQ(outcome.response, request + "!");
        done = true;
      });
      while (!done) std::this_thread::yield();
    }
  }

  CallPair pair_{SpinBudget(GetParam(), absl::Microseconds(50))};
  std::atomic<bool> over_{false};
};

TEST_P(CallsStressTest, NobodySleepsOverAnAnswer) {
  std::thread server([&] { Serve(); });
  std::vector<std::thread> callers;
  for (int t = 0; t < kThreads; ++t) {
    callers.emplace_back([&, t] { Call(t, static_cast<int>(Budget(10'000))); });
  }
  for (std::thread& caller : callers) caller.join();
  over_ = true;
  server.join();
  EXPECT_EQ(pair_.client.busy(), 0);
  EXPECT_EQ(pair_.client_words().awake.load(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Policies, CallsStressTest,
                         ::testing::Values(WaitPolicy::kPark, WaitPolicy::kAdaptive,
                                           WaitPolicy::kSpin));

}  // namespace
}  // namespace grpc_cxl::internal
