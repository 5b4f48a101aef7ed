// SPDX-License-Identifier: Apache-2.0
// Proves what is left when the peer is killed (SIGKILL) at a random moment, in both roles,
// hundreds of times, while both sides write, read, wait for space and sleep: exactly what it
// had published can be read, every byte right; then comes the end; writing on harms nobody. No
// step of a link leaves anything to repair.

#include <chrono>
#include <limits>
#include <random>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/link/link_pair.h"
#include "test/link/random_link_end.h"
#include "test/support/budget.h"
#include "test/support/forked_child.h"

namespace grpc_cxl::internal {
namespace {

class LinkKillTest : public ::testing::TestWithParam<Link::Side> {};

TEST_P(LinkKillTest, WhatWasPublishedIsReadThenTheEnd) {
  const bool server_dies = GetParam() == Link::Side::kServer;
  std::minstd_rand random(11);
  uint64_t total = 0;
  for (uint64_t round = 0; round < Budget(400); ++round) {
    LinkPair pair(4 << 10);
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
    const LinkSideWords& dead = server_dies ? pair.server_words() : pair.client_words();
    ASSERT_EQ(survivor.counters().bytes_read, dead.tx.head.load()) << round << pair.State();
    total += survivor.counters().bytes_read;
  }
  EXPECT_GT(total, 0);
}

INSTANTIATE_TEST_SUITE_P(Sides, LinkKillTest,
                         ::testing::Values(Link::Side::kServer, Link::Side::kClient),
                         [](const auto& info) {
                           return info.param == Link::Side::kServer ? "server" : "client";
                         });

}  // namespace
}  // namespace grpc_cxl::internal
