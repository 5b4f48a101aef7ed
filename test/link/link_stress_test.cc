// SPDX-License-Identifier: Apache-2.0
// Proves that a link, and so its rings and doorbells, loses neither a byte nor a wake-up: two
// ends send and receive at the same time, in ten million pieces of random sizes, mostly small and
// now and then larger than the ring, so that readers sleep for bytes and writers for
// space on both sides under every wait policy. Every byte is checked. A lost wake-up shows as
// an end that could go on and is not woken; the test then fails with all the shared words
// instead of hanging. That an end that is killed at a random moment leaves nothing to repair. And
// that a peer that writes at the same moment as we read gets at most a DATA_LOSS out of us
// (link_fuzz tries any value in any word between our steps).

#include <atomic>
#include <chrono>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "grpc_cxl/doorbell/spin_budget.h"
#include "gtest/gtest.h"
#include "test/coherence/test_view.h"
#include "test/link/link_pair.h"
#include "test/link/random_link_end.h"
#include "test/support/both_sides.h"
#include "test/support/budget.h"
#include "test/support/forked_child.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kRing = 4 << 10;

struct Config {
  std::string name;
  World world;
  WaitPolicy policy;
  uint64_t pieces;  // each way
};

class LinkStressTest : public ::testing::TestWithParam<Config> {};

TEST_P(LinkStressTest, NoByteAndNoWakeUpIsLost) {
  const Config& config = GetParam();
  const uint64_t pieces = Budget(config.pieces) / (TestMemoryModel().private_copy ? 10 : 1);
  LinkPair pair(kRing);
  const auto run = [&](bool server) -> std::string {
    if (config.world == World::kProcesses) (server ? pair.client : pair.server).reset();
    Link& link = server ? *pair.server : *pair.client;
    RandomLinkEnd end(
        link, SpinBudget(config.policy, absl::Microseconds(20)), server ? 1 : 2,
        [&] { return pair.State(); }, /*far_bytes=*/64 << 20);
    const std::string error = end.Exchange(50 * pieces);
    if (!error.empty()) link.Close();  // so that the other end does not wait for us
    if (error.empty() && (end.naps() < pieces / 10'000 || link.counters().full_waits == 0)) {
      return absl::StrCat("it slept only ", end.naps(), " times; nothing was tested");
    }
    return error;
  };
  EXPECT_EQ(RunBothSides(
                config.world, [&] { return run(true); }, [&] { return run(false); }),
            "");
}

constexpr uint64_t kMillion = 1'000'000;

INSTANTIATE_TEST_SUITE_P(
    Policies, LinkStressTest,
    ::testing::Values(Config{"spin", World::kProcesses, WaitPolicy::kSpin, kMillion},
                      Config{"adaptive", World::kProcesses, WaitPolicy::kAdaptive, 2 * kMillion},
                      Config{"park", World::kProcesses, WaitPolicy::kPark, 3 * kMillion / 2},
                      Config{"threads_adaptive", World::kThreads, WaitPolicy::kAdaptive, kMillion},
                      Config{"threads_park", World::kThreads, WaitPolicy::kPark, kMillion}),
    [](const auto& info) { return info.param.name; });

// The peer is killed while both sides write, read, wait for space and sleep. Exactly what it had
// published can be read, every byte right; then comes the end; writing on harms nobody.
class LinkKillTest : public ::testing::TestWithParam<Link::Side> {};

TEST_P(LinkKillTest, WhatWasPublishedIsReadThenTheEnd) {
  const bool server_dies = GetParam() == Link::Side::kServer;
  std::minstd_rand random(11);
  uint64_t total = 0;
  for (uint64_t round = 0; round < Budget(400); ++round) {
    LinkPair pair(kRing);
    const auto exchange = [&](bool server) {
      (server ? pair.client : pair.server).reset();
      RandomLinkEnd end(server ? *pair.server : *pair.client,
                        SpinBudget(WaitPolicy::kAdaptive, absl::Microseconds(20)),
                        static_cast<uint32_t>(2 * round + server), [&] { return pair.State(); });
      return end.Exchange(std::numeric_limits<uint64_t>::max() / 2);
    };
    ForkedChild child([&] { return exchange(server_dies); });
    bool killed;
    std::thread killer([&, life = std::chrono::microseconds(random() % 3000)] {
      std::this_thread::sleep_for(life);
      killed = child.Kill();
    });
    EXPECT_THAT(exchange(!server_dies), ::testing::StartsWith("the peer is gone"));
    killer.join();
    ASSERT_TRUE(killed) << "it ended by itself: " << child.Join();
    const Link& survivor = server_dies ? *pair.client : *pair.server;
    const SharedU64& head = *(server_dies ? pair.server_look() : pair.client_look()).head;
    ASSERT_EQ(survivor.counters().bytes_read, head.load()) << round << pair.State();
    total += survivor.counters().bytes_read;
  }
  EXPECT_GT(total, 0);
}

INSTANTIATE_TEST_SUITE_P(Sides, LinkKillTest,
                         ::testing::Values(Link::Side::kServer, Link::Side::kClient),
                         [](const auto& info) {
                           return info.param == Link::Side::kServer ? "server" : "client";
                         });

bool FineOrDataLoss(const absl::Status& status) {
  EXPECT_TRUE(status.ok() || absl::IsDataLoss(status)) << status;
  return status.ok();
}

// What an endpoint and its poller do in one turn; false after DATA_LOSS.
bool OneTurn(Link& link, const std::string& bytes) {
  link.MaybeReadable();
  link.MaybeWritable();
  const absl::StatusOr<size_t> readable = link.Readable();
  if (!FineOrDataLoss(readable.status())) return false;
  EXPECT_LE(*readable, kRing);
  for (size_t left = *readable; left > 0;) {
    const absl::Span<const char> front = link.Front();
    EXPECT_GT(front.size(), 0);
    EXPECT_LE(front.size(), left);
    const std::string touched(front.begin(), front.end());
    link.Consume(front.size());
    left -= front.size();
  }
  const absl::StatusOr<size_t> written = link.Write(bytes);
  if (!FineOrDataLoss(written.status())) return false;
  EXPECT_LE(*written, kRing);
  link.Publish();
  if (*written < bytes.size()) link.WantSpace();
  link.PrepareToSleep();
  link.Awake();
  link.Drain();
  return true;
}

// A second thread never stops writing nonsense into all words, ours included, while we work.
// After DATA_LOSS a new link takes over.
TEST(LinkHostilePeerTest, NonsenseWithoutEnd) {
  const auto rounds = static_cast<int>(Budget(20'000));
  LinkPair pair(kRing);
  std::atomic<bool> stop{false};
  std::thread scribbler([&] {
    std::minstd_rand random(5);
    std::vector<SharedU64*> words;
    for (LinkSideWords* side : {&pair.server_words(), &pair.client_words()}) {
      words.insert(words.end(), {&side->tx.head, &side->tx.want_space, &side->rx.tail,
                                 &side->doorbell.epoch, &side->look.head, &side->look.tail});
    }
    while (!stop.load(std::memory_order_relaxed)) {
      SharedU64& word = *words[random() % words.size()];
      const uint64_t near = words[random() % words.size()]->load(std::memory_order_relaxed);
      const uint64_t values[] = {kRing * (random() % 4) + random() % 3 - 1,
                                 uint64_t{1} << random() % 64, near,
                                 word.load(std::memory_order_relaxed) + random() % (2 * kRing)};
      word.store(values[random() % 4], std::memory_order_relaxed);
    }
  });
  int losses = 0;
  for (int round = 0; round < rounds; ++round) {
    if (OneTurn(*pair.server, std::string(round % kRing, 's'))) continue;
    ++losses;
    pair.Reconnect();
  }
  stop = true;
  scribbler.join();
  EXPECT_GT(losses, 0);
  EXPECT_LT(losses, rounds);
}

}  // namespace
}  // namespace grpc_cxl::internal
