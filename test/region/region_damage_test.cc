// SPDX-License-Identifier: Apache-2.0

// What damage to a region's entries costs, and a process that is silent at the wrong moment: a
// connection or a wait, never an entry for good.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/log/check.h"
#include "absl/status/status_matchers.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/region/dead_processes.h"
#include "grpc_cxl/region/region_node.h"
#include "test/region/region_children.h"
#include "test/support/eventually.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;

constexpr absl::Duration kLease = absl::Milliseconds(200);
constexpr uint64_t kDamage = 4711;

std::string Formatted(const std::string& path, absl::Duration lease = kLease) {
  CHECK_OK(FormatRegion(path, {.hosts = 2, .bytes = 2 << 20, .lease = lease}));
  return path;
}

// A process of host 0 without a lock and without a beat, which serves "a".
ProcessRef WriteDeadServer(const std::string& path, uint32_t index) {
  const auto region = *Region::Open({.path = path, .host = 0});
  const Region::HostLock lock(*region);
  ProcessRecord process;
  WriteProcess(*region, index, process);
  NameRecord name{.owner = process.process, .text = "a"};
  WriteName(*region, 5, name);
  RequestRecord request{.owner = process.process, .to_host = UINT32_MAX};
  WriteRequest(*region, 5, request);
  return process.process;
}

class RegionDamageTest : public ::testing::Test {
 protected:
  // Accepts all that ask for "a".
  struct Server {
    explicit Server(const std::string& path) : node(JoinRegion(path, 0)) {
      name = *node->Listen("a", [this](const RegionRequest& request) {
        absl::StatusOr<RegionOffer> offer = node->Accept(request, kArenaBytes, {});
        if (absl::IsUnavailable(offer.status())) return;  // the client gave up
        CHECK_OK(offer.status());
        absl::MutexLock lock(mu);
        offers.push_back(*std::move(offer));
      });
    }
    ~Server() { node->StopListening(name); }
    void DropAll() {
      absl::MutexLock lock(mu);
      offers.clear();
    }
    const std::shared_ptr<RegionNode> node;
    uint64_t name;
    absl::Mutex mu;
    std::deque<RegionOffer> offers ABSL_GUARDED_BY(mu);
  };

  const TemporaryDirectory directory_;
  const std::string path_ = Formatted(directory_.path() + "/region");
};

TEST_F(RegionDamageTest, TheRequestOfAConnectionIsFreeAfterIt) {
  Server server(path_);
  const auto client = JoinRegion(path_, 1);
  SharedU64& id = client->region().mine().requests[0].id;
  for (const bool damaged : {false, true}) {
    RegionOffer offer = ConnectTo(*client, "a");
    ASSERT_NE(id, 0);
    if (damaged) id = kDamage;
    offer.arena.reset();
    offer.connection.reset();
    EXPECT_EQ(id, 0) << "at once, since its memory was flushed";
    server.DropAll();
    absl::SleepFor(kLease / 2);  // it would be mended, and stay
    EXPECT_EQ(id, 0);
    EXPECT_TRUE(Eventually([&] { return server.node->region().mine().answers[0].id == 0; }));
  }
}

TEST_F(RegionDamageTest, TheRequestOfAnAttemptAndANameAreFreeAfterThem) {
  const auto server = JoinRegion(path_, 0), client = JoinRegion(path_, 1);
  const uint64_t listener = *server->Listen("a", [](const auto&) {});
  const uint64_t attempt = client->Connect("a", 0, [](auto) {});
  SharedU64& request = client->region().mine().requests[0].id;
  request = kDamage;
  EXPECT_TRUE(client->Cancel(attempt));
  SharedU64& name = server->region().mine().names[0].id;
  name = kDamage;
  server->StopListening(listener);
  EXPECT_TRUE(Eventually([&] { return request == 0 && name == 0; }));
  absl::SleepFor(kLease / 2);
  EXPECT_TRUE(request == 0 && name == 0) << "it was mended";
}

// Another process of a host is stopped while it has the lock without which nothing is mended.
TEST_F(RegionDamageTest, NobodyWaitsForTheLockOfTheHost) {
  Server server(path_);
  const auto client = JoinRegion(path_, 1);
  const RegionOffer mine = ConnectTo(*client, "a");
  SharedU64& request = client->region().mine().requests[0].id;
  const uint64_t id = request;
  {
    const auto stopped = *Region::Open({.path = path_, .host = 1});
    const Region::HostLock lock(*stopped);
    request = kDamage;
    for (int i = 0; i < 10; ++i) {
      EXPECT_FALSE(mine.connection->PeerGone()) << "it will be mended";
      absl::SleepFor(absl::Milliseconds(3));  // a look is due
    }
    EXPECT_EQ(request, kDamage);
  }
  EXPECT_TRUE(Eventually([&] { return request == id; }));
  EXPECT_FALSE(mine.connection->PeerGone());
}

TEST_F(RegionDamageTest, WhatEndsWhileTheHostIsLockedIsFreeAfterwards) {
  Server server(path_);
  const auto client = JoinRegion(path_, 1);
  RegionOffer mine = ConnectTo(*client, "a");
  SharedU64& request = client->region().mine().requests[0].id;
  SharedU64& answer = server.node->region().mine().answers[0].id;
  {
    const auto here = *Region::Open({.path = path_, .host = 0});
    const auto there = *Region::Open({.path = path_, .host = 1});
    const Region::HostLock lock_here(*here), lock_there(*there);
    request = kDamage;
    answer = kDamage;
    server.DropAll();
    mine.arena.reset();
    mine.connection.reset();
    EXPECT_EQ(request, kDamage) << "it may be another's by now";
  }
  EXPECT_TRUE(Eventually([&] { return request == 0 && answer == 0; }));
  absl::SleepFor(kLease / 2);
  EXPECT_TRUE(request == 0 && answer == 0) << "it was mended";
}

// The client does not look until the answer has been mended.
TEST_F(RegionDamageTest, AnAnswerThatWasDamagedAtItsEndIsClosedAfterwards) {
  Server server(path_);
  const auto client = JoinRegion(path_, 1);
  const RegionOffer mine = ConnectTo(*client, "a");
  ASSERT_TRUE(Eventually([&] {
    absl::MutexLock lock(server.mu);
    return !server.offers.empty();
  }));
  SharedU64& answer = server.node->region().mine().answers[0].id;
  {
    const auto stopped = *Region::Open({.path = path_, .host = 0});
    const Region::HostLock lock(*stopped);
    answer = kDamage;
    server.DropAll();
  }
  EXPECT_TRUE(Eventually([&] { return answer == mine.answer.id; }));
  EXPECT_TRUE(Eventually([&] { return mine.connection->PeerGone(); }));
}

TEST_F(RegionDamageTest, WhatIsLeftOfADeadProcessGoesWhateverItsEntrySays) {
  const auto living = JoinRegion(path_, 0);
  HostControl& control = living->region().mine();
  for (const uint64_t damage : {uint64_t{0}, kDamage}) {
    WriteDeadServer(path_, 5);
    control.processes[5].incarnation = damage;
    EXPECT_TRUE(Eventually([&] { return control.names[5].id == 0; })) << damage;
    EXPECT_TRUE(Eventually([&] { return control.requests[5].id == 0; })) << damage;
    EXPECT_TRUE(Eventually([&] { return control.processes[5].incarnation == 0; })) << damage;
  }
}

TEST_F(RegionDamageTest, AProcessThatJoinsHasTheNameOfADeadOneAtOnce) {
  for (const bool alone : {false, true}) {
    for (const uint64_t damage : {uint64_t{0}, kDamage}) {
      Formatted(path_);
      const auto living = alone ? nullptr : JoinRegion(path_, 0);
      // The next place, too.
      WriteDeadServer(path_, alone ? 0 : 1);
      const auto observer = *Region::Open({.path = path_, .host = 0});
      observer->mine().processes[alone ? 0 : 1].incarnation = damage;
      const auto next = JoinRegion(path_, 0);
      EXPECT_THAT(next->Listen("a", [](const auto&) {}), IsOk()) << alone << damage;
    }
  }
}

TEST_F(RegionDamageTest, OnlyWhoseEntryIsGoneOrAnothersIsTakenForGone) {
  const auto region = *Region::Open({.path = path_, .host = 0});
  const ProcessRef process = WriteDeadServer(path_, 5);
  ProcessEntry& entry = region->mine().processes[5];
  EXPECT_TRUE(MayLive(*region, process));
  EXPECT_FALSE(MayLive(*region, {.index = 5, .incarnation = process.incarnation - 1}));
  EXPECT_FALSE(MayLive(*region, {.index = kHostProcesses}));
  entry.incarnation = kDamage;
  EXPECT_TRUE(MayLive(*region, process));
  entry.incarnation = 0;
  EXPECT_FALSE(MayLive(*region, process));
  const auto stopped = *Region::Open({.path = path_, .host = 0});
  EXPECT_TRUE(*stopped->TryLockProcess(5));
  EXPECT_TRUE(MayLive(*region, process));
}

// Holds for so many looks.
class ShortFence final : public Fence {
 public:
  explicit ShortFence(int looks) : Fence(std::make_shared<LeaseTimes>()), looks_(looks) {}

 private:
  bool IsStillOurs() override { return looks_-- > 0; }
  int looks_;
};

TEST_F(RegionDamageTest, MemoryThatWasGivenAwayIsNotZeroedOn) {
  const auto region = *Region::Open({.path = path_, .host = 0});
  constexpr size_t kPart = Region::kZeroedAtATime;
  const uint64_t begin = region->memory_begin(0);
  const absl::StatusOr<Arena> arena = region->MapMemory(0, begin, 3 * kPart);
  ASSERT_THAT(arena, IsOk());
  char* const bytes = arena->data();
  for (const int parts : {0, 1, 2}) {
    std::fill_n(bytes, 3 * kPart, 'x');
    EXPECT_THAT(region->MapZeroed(0, begin, 3 * kPart, std::make_shared<ShortFence>(parts)),
                StatusIs(absl::StatusCode::kUnavailable));
    EXPECT_EQ(std::count(bytes, bytes + 3 * kPart, 0), parts * kPart);
  }
  EXPECT_THAT(region->MapZeroed(0, begin, 3 * kPart, std::make_shared<ShortFence>(3)), IsOk());
  EXPECT_EQ(std::count(bytes, bytes + 3 * kPart, 0), 3 * kPart);
}

TEST_F(RegionDamageTest, OneRegionDoesNotWaitForTheDeadOfAnother) {
  const std::string slow = Formatted(directory_.path() + "/slow", absl::Seconds(1));
  WriteDeadServer(slow, 0);
  std::atomic<bool> joined = false;
  std::thread joins([&] {
    EXPECT_THAT(RegionNode::Get({.path = slow, .host = 0}), IsOk());
    joined = true;
  });
  absl::SleepFor(absl::Milliseconds(100));
  EXPECT_THAT(RegionNode::Get({.path = path_, .host = 0}), IsOk());
  EXPECT_FALSE(joined);
  joins.join();
}

}  // namespace
}  // namespace grpc_cxl::internal
