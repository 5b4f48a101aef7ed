// SPDX-License-Identifier: Apache-2.0

// What a region's users leave in the caches of their machines reaches nobody else, and nobody takes
// old lines for new ones: over connections, deaths, formats, and hosts that change machines. With
// simulated caches, which outlive all of these.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/log/check.h"
#include "absl/status/status_matchers.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/coherence/fence.h"
#include "grpc_cxl/region/region_connection.h"
#include "grpc_cxl/region/region_node.h"
#include "test/coherence/host_cache.h"
#include "test/support/eventually.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

constexpr size_t kBytes = 64 << 10;
constexpr absl::Duration kLease = absl::Milliseconds(200);
constexpr uint32_t kOther = 9;  // a machine that only looks
// For an attempt to connect. Where a site is left out (checker_mutation_test.py), one that hangs is
// what is looked for.
const absl::Duration kPatience = absl::Seconds(getenv("GRPC_CXL_DROP_SITE") == nullptr ? 30 : 5);

MemoryModel On(uint32_t machine) {
  return {.coherence = Coherence::kFlush, .private_copy = true, .machine = machine};
}

class RegionCacheTest : public ::testing::Test {
 protected:
  RegionCacheTest() { Format(); }

  void Format(uint32_t hosts = 3) {
    CHECK_OK(FormatRegion(path_, {.hosts = hosts, .bytes = 2 << 20, .lease = kLease}));
  }
  absl::StatusOr<std::shared_ptr<Region>> Open(uint32_t machine) {
    return Region::Open({.path = path_, .host = Region::kObserver, .model = On(machine)});
  }
  // Every host is a machine of its own unless the test says otherwise.
  std::shared_ptr<RegionNode> Join(uint32_t host, std::optional<uint32_t> machine = std::nullopt) {
    auto node =
        RegionNode::Join({.path = path_, .host = host, .model = On(machine.value_or(host))});
    CHECK_OK(node.status());
    return *std::move(node);
  }
  // To others of its host, and to this test, it looks dead. A process of this host must clear up.
  static void Die(const RegionNode& node) {
    SharedU64& beat = node.region().mine().processes[0].beat;
    // Another's beat ends its own.
    EXPECT_TRUE(Eventually([&] {
      beat = 1'000'000;
      return !node.IsMember();
    }));
    node.region().UnlockProcess(0);
  }

  void Serve() {
    CHECK_OK(server_->Listen("a", [this](const RegionRequest& request) {
      absl::StatusOr<RegionOffer> offer = server_->Accept(request, kBytes, {});
      if (absl::IsUnavailable(offer.status())) return;  // the client gave up
      CHECK_OK(offer.status());
      absl::MutexLock lock(mu_);
      end_ = *std::move(offer);
    }));
  }
  // The server has its end a moment after the client.
  bool AwaitServersEnd() {
    return Eventually([&] {
      absl::MutexLock lock(mu_);
      return end_.connection != nullptr;
    });
  }
  void DropServersEnd() {
    absl::MutexLock lock(mu_);
    end_ = {};
  }
  static RegionOffer Connect(RegionNode& node) {
    absl::Notification done;
    RegionOffer made;
    node.Connect("a", 0, [&](absl::StatusOr<RegionOffer> offer) {
      CHECK_OK(offer.status());
      made = *std::move(offer);
      done.Notify();
    });
    CHECK(done.WaitForNotificationWithTimeout(kPatience)) << "the attempt hangs";
    CHECK(made.connection != nullptr) << made.answer.reason;
    return made;
  }
  // As a client does that never gets to publish it.
  static void WriteGarbage(const RegionNode& node, const RegionOffer& offer) {
    const auto far = FarMemory::Create(node.region().model(),
                                       absl::Span<char>(offer.arena->data(), offer.arena->size()));
    std::ranges::fill(far->memory(), 'x');
  }
  // The next to get the memory of `before` finds zeros there, whatever the caches do.
  void ExpectCleanFor(RegionNode& node, const AnswerRecord& before) {
    const auto observer = *Open(kOther);
    ASSERT_TRUE(Eventually([&] { return !ReadAnswer(*observer, 0, 0).has_value(); }));
    RegionOffer offer;
    // Its memory may come back a moment after its answer.
    ASSERT_TRUE(Eventually([&] {
      offer = {};
      DropServersEnd();
      offer = Connect(node);
      EXPECT_TRUE(AwaitServersEnd());
      return offer.answer.offset == before.offset;
    }));
    HostCache::EvictAll();
    const absl::Span<char> memory(offer.arena->data(), offer.arena->size());
    EXPECT_EQ(std::ranges::count(memory, 0), kBytes);
    const auto far = FarMemory::Create(node.region().model(), memory);
    EXPECT_EQ(std::ranges::count(far->memory(), 0), kBytes) << "its own caches were stale";
    DropServersEnd();
  }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_.path() + "/region";
  absl::Mutex mu_;
  RegionOffer end_ ABSL_GUARDED_BY(mu_);  // the server's
  std::shared_ptr<RegionNode> server_;
};

TEST_F(RegionCacheTest, WhatAClientNeverPublishedDoesNotReachTheNext) {
  server_ = Join(0);
  Serve();
  const auto client = Join(1);
  for (const bool assigns : {false, true}) {
    auto mine = std::make_unique<RegionOffer>(Connect(*client));
    ASSERT_TRUE(AwaitServersEnd());
    WriteGarbage(*client, *mine);
    const AnswerRecord answer = mine->answer;
    assigns ? static_cast<void>(*mine = {}) : mine.reset();
    DropServersEnd();
    ExpectCleanFor(*Join(2), answer);
    ExpectCleanFor(*client, answer);
  }
}

TEST_F(RegionCacheTest, NothingIsLeftOfARefusal) {
  server_ = Join(0);
  CHECK_OK(server_->Listen(
      "a", [this](const RegionRequest& request) { server_->Refuse(request, 6, "no"); }));
  const auto client = Join(1);
  absl::Notification done;
  client->Connect("a", 0, [&](auto) { done.Notify(); });
  done.WaitForNotification();
  const auto observer = *Open(kOther);
  EXPECT_TRUE(Eventually([&] {
    return !ReadRequest(*observer, 1, 0).has_value() && !ReadAnswer(*observer, 0, 0).has_value();
  }));
}

// After a gap in its lease, as each is before it has looked for the first time.
TEST_F(RegionCacheTest, AFenceSeesThatThePeerHasClosed) {
  server_ = Join(0);
  Serve();
  const auto client = Join(1);
  for (const bool client_closes : {false, true}) {
    const auto observer = *Open(kOther);
    ASSERT_TRUE(Eventually([&] {  // the entries that follow are free
      return !ReadRequest(*observer, 1, 0).has_value() && !ReadAnswer(*observer, 0, 0).has_value();
    }));
    const RegionOffer mine = Connect(*client);
    ASSERT_TRUE(AwaitServersEnd());
    const RequestRecord request = *ReadRequest(*observer, 1, 0);
    const auto region = *Region::Open({.path = path_, .host = 0, .model = On(0)});
    const auto times = std::make_shared<LeaseTimes>();
    RegionFence fence(region,
                      {.role = RegionPlace::Role::kServer,
                       .self = ReadProcess(*observer, 0, 0)->process,
                       .my_index = 0,
                       .my_id = mine.answer.id,
                       .peer_index = 0,
                       .peer_id = request.id,
                       .peer = request.owner,
                       .peer_pid = 0,
                       .memory_host = 0,
                       .memory_offset = 0,
                       .memory_bytes = 0},
                      times);
    EXPECT_TRUE(fence.Holds());
    if (client_closes) {
      mine.connection->Close();
      EXPECT_FALSE(fence.Holds());
    } else {
      absl::MutexLock lock(mu_);
      end_.connection->Close();
      EXPECT_FALSE(mine.connection->fence()->Holds());
    }
    DropServersEnd();
  }
}

TEST_F(RegionCacheTest, WhatADeadClientLeftDoesNotReachTheNext) {
  server_ = Join(0);
  Serve();
  const auto dead = Join(1);
  const RegionOffer mine = Connect(*dead);
  WriteGarbage(*dead, mine);
  Die(*dead);
  const auto heir = Join(1);
  DropServersEnd();
  ExpectCleanFor(*Join(2), mine.answer);
}

TEST_F(RegionCacheTest, OtherMachinesSeeWhatIsClearedUpForTheDead) {
  const auto host0 = Join(0), host1 = Join(1);
  const auto observer = *Open(kOther);
  const Region &region = host0->region(), &living = host1->region();
  RequestRecord held{.owner = ReadProcess(*observer, 1, 0)->process};
  {
    const Region::HostLock lock(living);
    WriteRequest(living, 3, held);
  }
  {
    const Region::HostLock lock(region);
    ProcessRecord dead;  // nobody has its lock
    WriteProcess(region, 5, dead);
    NameRecord name{.owner = dead.process, .text = "dead"};
    WriteName(region, 5, name);
    RequestRecord request{.owner = dead.process};
    WriteRequest(region, 5, request);
    AnswerRecord half{.state = AnswerState::kReserved, .owner = dead.process};
    WriteAnswer(region, 5, half);
    AnswerRecord whole{.state = AnswerState::kOffered,
                       .owner = dead.process,
                       .to_host = 1,
                       .to_request = 3,
                       .to_request_id = held.id};
    WriteAnswer(region, 6, whole);
  }
  EXPECT_TRUE(Eventually([&] { return !ReadProcess(*observer, 0, 5).has_value(); }));
  EXPECT_FALSE(ReadName(*observer, 0, 5).has_value());
  EXPECT_FALSE(ReadRequest(*observer, 0, 5).has_value());
  EXPECT_FALSE(ReadAnswer(*observer, 0, 5).has_value());
  EXPECT_EQ(ReadAnswer(*observer, 0, 6)->state, AnswerState::kClosed);
}

TEST_F(RegionCacheTest, AHostReadsItsOwnDirectoryAnewAfterAFormat) {
  const auto opened = [this] {
    const auto observer = *Open(kOther);
    return observer->Load(0, observer->control(0).words.opened);
  };
  Join(0).reset();
  EXPECT_EQ(opened(), 1u);
  EXPECT_FALSE(ReadProcess(**Open(kOther), 0, 0).has_value());
  Format();
  const auto again = Join(0);
  EXPECT_EQ(opened(), 1u);
}

TEST_F(RegionCacheTest, AHostThatMovesToAnotherMachineAndBackUsesNoIdTwice) {
  uint64_t last = 0;
  for (const uint32_t machine : {0, 5, 0}) {
    const auto node = Join(0, machine);
    const auto observer = *Open(kOther);
    EXPECT_GT(ReadProcess(*observer, 0, 0)->process.incarnation, last);
    const auto listener = node->Listen("a", [](const auto&) {});
    ASSERT_THAT(listener, IsOk());
    last = ReadName(*observer, 0, 0)->id;
    node->StopListening(*listener);
    EXPECT_FALSE(ReadName(*observer, 0, 0).has_value());
    // Every machine has a kernel of its own.
    node->region().Store(node->region().mine().words.boot_id[0], uint64_t{machine + 1});
  }
}

TEST_F(RegionCacheTest, AnotherMachineThatIsThisHostIsFound) {
  for (const bool joins_at_the_same_time : {false, true}) {
    auto node = Join(0);
    const auto clone = *Region::Open({.path = path_, .host = 0, .model = On(5)});
    if (joins_at_the_same_time) {
      const Region::HostLock lock(*clone);
      ProcessRecord record{.beat = 1};
      WriteProcess(*clone, 0, record);
    } else {
      clone->Store(clone->mine().words.boot_id[0], uint64_t{4711});
    }
    EXPECT_TRUE(Eventually([&] { return !node->IsMember(); }));
    EXPECT_TRUE(ReadProcess(**Open(kOther), 0, 0).has_value());
    node.reset();  // it clears nothing away that is another's
    EXPECT_TRUE(ReadProcess(**Open(kOther), 0, 0).has_value());
    Format();
  }
}

TEST_F(RegionCacheTest, AProcessWithAFreeLockThatBeatsIsLeftAlone) {
  auto node = Join(0);
  const auto clone = *Region::Open({.path = path_, .host = 0, .model = On(5)});
  const auto write = [&](Region::Node on) {
    const Region::HostLock lock(*clone);
    ProcessRecord record{.beat = 1, .pid = 4711, .node = on};
    WriteProcess(*clone, 5, record);
  };
  std::atomic<bool> stop = false;
  write(clone->node());
  std::thread beats([&] {
    for (uint64_t beat = 2; !stop; ++beat) {
      clone->Store(clone->mine().processes[5].beat, beat);
      absl::SleepFor(absl::Milliseconds(5));
    }
  });
  const RegionOptions options{.path = path_, .host = 0, .model = On(7)};
  EXPECT_THAT(RegionNode::Join(options),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("on another machine")));
  write({.device = 1, .inode = 2});
  EXPECT_THAT(RegionNode::Join(options),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("a bind mount")));
  absl::SleepFor(2 * kLease);
  EXPECT_TRUE(ReadProcess(**Open(kOther), 0, 5).has_value());
  stop = true;
  beats.join();
  EXPECT_TRUE(Eventually([&] { return !ReadProcess(**Open(kOther), 0, 5).has_value(); }));
}

TEST_F(RegionCacheTest, ADamagedEntryIsMendedByItsOwner) {
  server_ = Join(0);
  Serve();
  const auto client = Join(1);
  const RegionOffer mine = Connect(*client);
  const auto observer = *Open(kOther), vandal = *Open(5);
  HostControl& control = vandal->control(0);
  for (SharedU64* word : {&control.names[0].text[0], &control.answers[0].bytes}) {
    vandal->Store(*word, uint64_t{4711});
    EXPECT_TRUE(Eventually([&] {
      return ReadName(*observer, 0, 0).has_value() && ReadAnswer(*observer, 0, 0).has_value();
    }));
  }
  EXPECT_EQ(ReadName(*observer, 0, 0)->text, "a");
  EXPECT_EQ(ReadAnswer(*observer, 0, 0)->bytes, kBytes);
  EXPECT_FALSE(mine.connection->PeerGone());
}

TEST_F(RegionCacheTest, WhatNobodyOwnsGoesWithTheNextWhoIsAlone) {
  {
    const auto gone = *Region::Open({.path = path_, .host = 0, .model = On(0)});
    const Region::HostLock lock(*gone);
    NameRecord name{.text = "a"};
    WriteName(*gone, 0, name);
    RequestRecord request;
    WriteRequest(*gone, 0, request);
    AnswerRecord answer{.offset = gone->memory_begin(0), .bytes = kBytes};
    WriteAnswer(*gone, 0, answer);
    gone->Store(gone->mine().answers[0].bytes, uint64_t{1});
  }
  const auto observer = *Open(kOther);
  const HostControl& control = observer->control(0);
  const auto used = [&] {
    return (observer->Load(0, control.names[0].id) != 0) +
           (observer->Load(0, control.requests[0].id) != 0) +
           (observer->Load(0, control.answers[0].id) != 0);
  };
  EXPECT_EQ(used(), 3);
  const auto node = Join(0);
  EXPECT_EQ(used(), 0);
}

TEST_F(RegionCacheTest, AFormatIsSeenByAllWhoLookedBefore) {
  EXPECT_EQ(Join(0)->region().hosts(), 3);
  Format(2);
  EXPECT_EQ(Join(0)->region().hosts(), 2);
  const std::string text(2 << 20, '\0');
  std::filesystem::remove(path_);
  std::ofstream(path_) << text;
  EXPECT_THAT(Open(0),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is not a region")));
  Format();
  EXPECT_THAT(Open(0), IsOk());
}

}  // namespace
}  // namespace grpc_cxl::internal
