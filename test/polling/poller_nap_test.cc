// Proves that pollables which nobody can wake are looked at all the same: work is found with no
// descriptor at all, soon after other work and later ever more seldom; the peer's end is found
// too, and told once for each time it is said; and the looks of an idle poller are bounded.

#include <memory>
#include <thread>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/doorbell/back_off.h"
#include "grpc_cxl/polling/poller.h"
#include "grpc_cxl/polling/watchdog.h"
#include "gtest/gtest.h"
#include "test/polling/fake_pollable.h"
#include "test/support/eventually.h"

namespace grpc_cxl::internal {
namespace {

Poller* ThePoller() {
  static Watchdog* const watchdog = new Watchdog(1);
  return watchdog->Assign();
}

std::shared_ptr<FakePollable> MakeUnwakeable() {
  auto pollable = std::make_shared<FakePollable>();
  pollable->has_fd = false;
  return pollable;
}

TEST(PollerNapTest, BackOffDoublesUpToALimit) {
  BackOff naps;
  int64_t last = naps.Next();
  EXPECT_EQ(last, BackOff::kShortestNs);
  for (int i = 0; i < 20; ++i) {
    const int64_t next = naps.Next();
    EXPECT_TRUE(next == 2 * last || next == BackOff::kLongestNs) << next;
    last = next;
  }
  EXPECT_EQ(last, BackOff::kLongestNs);
}

TEST(PollerNapTest, WorkIsFoundWithoutADescriptor) {
  const auto pollable = MakeUnwakeable();
  ThePoller()->Add(pollable);
  for (int i = 1; i <= 20; ++i) {
    absl::SleepFor(absl::Milliseconds(i % 5));  // naps of all lengths
    pollable->OfferWork();
    ASSERT_TRUE(Eventually([&] { return pollable->run_calls == i; })) << i;
  }
  ThePoller()->Remove(pollable.get());
}

TEST(PollerNapTest, TheEndOfThePeerIsFound) {
  const auto pollable = MakeUnwakeable();
  pollable->on_readable = [raw = pollable.get()] { raw->peer_gone = false; };
  ThePoller()->Add(pollable);
  ASSERT_TRUE(Eventually([&] { return pollable->naps > 0; }));
  const int before = pollable->readable_calls;
  pollable->peer_gone = true;
  EXPECT_TRUE(Eventually([&] { return pollable->readable_calls == before + 1; }));
  EXPECT_FALSE(pollable->peer_gone);
  ThePoller()->Remove(pollable.get());
}

TEST(PollerNapTest, WhatIsRemovedIsLetGo) {
  auto pollable = MakeUnwakeable();
  const std::weak_ptr<FakePollable> weak = pollable;
  ThePoller()->Add(pollable);
  ASSERT_TRUE(Eventually([&] { return pollable->naps > 0; }));
  ThePoller()->Remove(pollable.get());
  pollable.reset();
  EXPECT_TRUE(Eventually([&] { return weak.expired(); }));
}

// At most one look in each of the longest naps, and a few while they grow; how many fewer is
// the kernel's business.
TEST(PollerNapTest, IdleLooksAreBounded) {
  const auto pollable = MakeUnwakeable();
  ThePoller()->Add(pollable);
  ASSERT_TRUE(Eventually([&] { return pollable->naps > 0; }));
  absl::SleepFor(absl::Milliseconds(20));
  const int before = pollable->looks;
  const absl::Time start = absl::Now();
  absl::SleepFor(absl::Milliseconds(500));
  const int looks = pollable->looks - before;
  const double naps = absl::ToDoubleNanoseconds(absl::Now() - start) / BackOff::kLongestNs;
  EXPECT_GT(looks, 0);
  EXPECT_LE(looks, naps + 10);
  ThePoller()->Remove(pollable.get());
}

}  // namespace
}  // namespace grpc_cxl::internal
