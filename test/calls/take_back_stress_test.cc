// SPDX-License-Identifier: Apache-2.0

// A server that takes and answers, a client that posts, and a thread that takes back all the time:
// each call runs, or was taken back, and never both.

#include <atomic>
#include <set>
#include <string>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "gtest/gtest.h"
#include "test/calls/call_pair.h"
#include "test/support/budget.h"

namespace grpc_cxl::internal {
namespace {

using Kind = CallOutcome::Kind;

TEST(TakeBackStressTest, EachCallRunsOrWasTakenBack) {
  const int kCalls = static_cast<int>(Budget(2'000));
  CallPair pair;
  std::atomic<bool> over{false};
  std::atomic<int> freed{0};
  absl::Mutex mu;
  std::set<std::string> ran;
  std::thread server([&] {
    while (!over || pair.client.busy() > 0) {
      ServerCalls::News news = pair.server.Run();
      EXPECT_TRUE(news.status.ok());
      for (ServerCalls::TakenCall& call : news.taken) {
        {
          absl::MutexLock lock(mu);
          ran.insert(call.request);
        }
        pair.server.Respond(call.id, call.request);
      }
      EXPECT_TRUE(!pair.ClientReady() || pair.client.Run().ok());
      std::this_thread::yield();
    }
  });
  std::thread taker([&] {
    while (!over) {
      pair.client.TakeBack([&] { ++freed; });
      std::this_thread::yield();
    }
  });
  int not_run = 0;
  for (int i = 0; i < kCalls; ++i) {
    const std::string request = std::to_string(i);
    const int slot = pair.Post(request);
    if (slot < 0) {  // all wait for the server
      std::this_thread::yield();
      --i;
      continue;
    }
    std::atomic<int> outcomes{0};
    Kind kind{};
    pair.client.WhenDone(slot, [&](const CallOutcome& outcome) {
      kind = outcome.kind;
      ++outcomes;
    });
    while (outcomes == 0) std::this_thread::yield();
    ASSERT_EQ(outcomes, 1);
    if (kind == Kind::kNotRun) ++not_run;
    absl::MutexLock lock(mu);
    ASSERT_EQ(ran.count(request), kind == Kind::kResponse ? 1u : 0u) << request;
  }
  over = true;
  taker.join();
  server.join();
  EXPECT_EQ(pair.client.busy(), 0);
  EXPECT_LE(freed, not_run);  // the others were refused before
  // Nothing runs later.
  EXPECT_EQ(ran.size(), static_cast<size_t>(kCalls - not_run));
  RecordProperty("taken_back", not_run);
}

}  // namespace
}  // namespace grpc_cxl::internal
