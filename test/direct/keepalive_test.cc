// SPDX-License-Identifier: Apache-2.0

// A server that has answered any number of pings, and then stops, is found.

#include "grpc_cxl/direct/keepalive.h"

#include <grpc/event_engine/event_engine.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/calls/client_call_areas.h"
#include "grpc_cxl/direct/call_routes.h"
#include "grpc_cxl/direct/direct_channel.h"
#include "gtest/gtest.h"
#include "test/support/eventually.h"

namespace grpc_cxl::internal {
namespace {

struct Owner final : LinkOwner {
  void UserIdle() override {}
  void End(absl::Status) override { ended = true; }
  std::atomic<bool> ended{false};
};

struct alignas(kPageBytes) Page {
  char bytes[kPageBytes] = {};
};

class KeepaliveTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(KeepaliveTest, AServerThatHasAnsweredUntilNowEndsItsConnection) {
  // The process's, whose timers go on.
  using grpc_event_engine::experimental::EventEngine;
  const std::shared_ptr<EventEngine> engine =
      grpc_event_engine::experimental::GetDefaultEventEngine();
  std::vector<Page> pages(CallAreaBytes(kPageBytes) / kPageBytes);
  ClientCallAreas calls(
      {pages[0].bytes, pages.size() * kPageBytes}, kPageBytes, /*count=*/1, [] {}, SharedView(),
      /*polls=*/false, SpinBudget(WaitPolicy::kPark, absl::ZeroDuration()), ArenaPages());
  reinterpret_cast<CallClientWords*>(pages[0].bytes)->look.ping = GetParam();
  reinterpret_cast<CallServerWords*>(pages[0].bytes + kCallServerWordsAt)->look.pong = GetParam();
  const auto owner = std::make_shared<Owner>();
  DirectChannel channel;
  channel.keepalive_time = channel.keepalive_timeout = std::chrono::milliseconds(1);
  const auto over = std::make_shared<std::atomic<bool>>(false);
  auto route = std::make_shared<CallRoute>(
      CallRoute{.owner = owner, .calls = &calls, .blocks = {}, .queue = nullptr});
  WatchServer(channel, route, [over] { return over->load(); });
  EXPECT_TRUE(Eventually([&] { return owner->ended.load(); }));
  *over = true;
  EXPECT_TRUE(Eventually([&] { return route.use_count() == 1; })) << "no timer is left";
}

INSTANTIATE_TEST_SUITE_P(After, KeepaliveTest,
                         ::testing::Values(uint64_t{0}, UINT32_MAX, uint64_t{1} << 32, UINT64_MAX));

}  // namespace
}  // namespace grpc_cxl::internal
