// SPDX-License-Identifier: Apache-2.0

// Processes that meet in a region, here two nodes of one process as two hosts, with coherent
// memory, without, and without under the checker.

#include "grpc_cxl/region/region_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/config.h"
#include "absl/log/check.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "test/support/eventually.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

// Long enough for a process to keep on a busy machine, short enough to wait for.
#if defined(ABSL_HAVE_THREAD_SANITIZER) || defined(ABSL_HAVE_ADDRESS_SANITIZER)
constexpr absl::Duration kLease = absl::Seconds(2);
#else
constexpr absl::Duration kLease = absl::Milliseconds(500);
#endif

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

// Until a test gives up. Where a site is left out (checker_mutation_test.py), an attempt that hangs
// is what is looked for.
const absl::Duration kPatience = absl::Seconds(getenv("GRPC_CXL_DROP_SITE") == nullptr ? 30 : 5);
constexpr size_t kBytes = 64 << 10;

struct Memory {
  const char* name;
  MemoryModel model;
};

class RegionNodeTest : public ::testing::TestWithParam<Memory> {
 protected:
  RegionNodeTest() {
    CHECK_OK(FormatRegion(path_, {.hosts = 3, .bytes = 2 << 20, .lease = kLease}));
  }

  absl::StatusOr<std::shared_ptr<RegionNode>> Join(uint32_t host) {
    return RegionNode::Join({.path = path_, .host = host, .model = GetParam().model});
  }

  // Accepts or refuses all requests.
  struct Server {
    ~Server() { node->StopListening(listener); }
    // Its end of connection number `i`.
    RegionOffer& End(size_t i) {
      const auto made = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) { return offers.size() > i; };
      absl::MutexLock lock(mu);
      mu.Await(absl::Condition(&made));
      return *offers[i];
    }
    std::shared_ptr<RegionNode> node;
    uint64_t listener;
    absl::Mutex mu;
    std::deque<absl::StatusOr<RegionOffer>> offers ABSL_GUARDED_BY(mu);
  };
  std::unique_ptr<Server> Serve(uint32_t host, const std::string& name, size_t bytes = kBytes) {
    auto server = std::make_unique<Server>();
    server->node = *Join(host);
    server->listener =
        *server->node->Listen(name, [raw = server.get(), bytes](const RegionRequest& request) {
          absl::StatusOr<RegionOffer> offer =
              raw->node->Accept(request, bytes, {.ring_bytes = 4711});
          if (!offer.ok()) raw->node->Refuse(request, 6, std::string(offer.status().message()));
          absl::MutexLock lock(raw->mu);
          raw->offers.push_back(std::move(offer));
        });
    return server;
  }

  static absl::StatusOr<RegionOffer> Connect(RegionNode& node, const std::string& name) {
    struct Result {
      absl::Notification done;
      absl::StatusOr<RegionOffer> offer = absl::UnknownError("no answer");
    };
    auto result = std::make_shared<Result>();
    node.Connect(name, 7, [result](absl::StatusOr<RegionOffer> offer) {
      result->offer = std::move(offer);
      result->done.Notify();
    });
    if (!result->done.WaitForNotificationWithTimeout(kPatience)) {
      return absl::DeadlineExceededError("the attempt hangs");
    }
    return std::move(result->offer);
  }
  static uint32_t HostOf(const absl::StatusOr<RegionOffer>& offer) {
    return offer.ok() && offer->connection != nullptr ? offer->connection->peer_host() : UINT32_MAX;
  }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_.path() + "/region";
};

TEST_P(RegionNodeTest, TwoHostsMeet) {
  const auto server = Serve(0, "shop/payments");
  const auto client = *Join(2);
  absl::StatusOr<RegionOffer> mine = Connect(*client, "shop/payments");
  ASSERT_EQ(HostOf(mine), 0) << mine.status();
  EXPECT_EQ(mine->answer.ring_bytes, 4711);
  EXPECT_EQ(mine->arena->size(), kBytes);
  EXPECT_EQ(mine->connection->peer_pid(), getpid());
  RegionOffer& theirs = server->End(0);
  EXPECT_EQ(theirs.connection->peer_host(), 2);
  EXPECT_EQ(theirs.connection->peer_pid(), getpid());
  strcpy(mine->arena->data(), "hello");
  EXPECT_STREQ(theirs.arena->data(), "hello");
  EXPECT_FALSE(mine->connection->PeerGone());
  EXPECT_FALSE(theirs.connection->PeerGone());
  mine->connection->Close();
  EXPECT_TRUE(Eventually([&] { return theirs.connection->PeerGone(); }));
}

TEST_P(RegionNodeTest, AConnectionOutlivesLeasesUntilItIsClosed) {
  const auto server = Serve(0, "a");
  const auto client = *Join(1);
  absl::StatusOr<RegionOffer> mine = Connect(*client, "a");
  ASSERT_EQ(HostOf(mine), 0) << mine.status();
  for (int i = 0; i < 12; ++i) {
    absl::SleepFor(kLease / 5);
    EXPECT_FALSE(mine->connection->PeerGone());
    EXPECT_FALSE(server->End(0).connection->PeerGone());
  }
  server->End(0).connection->Close();
  EXPECT_TRUE(Eventually([&] { return mine->connection->PeerGone(); }));
}

// Neither a callback that sleeps, for which StopListening() waits, nor another process of the host
// that is stopped while it has the host's lock.
TEST_P(RegionNodeTest, NothingStopsTheBeat) {
  const auto server = Serve(0, "a");
  const auto client = *Join(1);
  absl::StatusOr<RegionOffer> mine = Connect(*client, "a");
  ASSERT_EQ(HostOf(mine), 0) << mine.status();
  absl::Notification begun;
  std::atomic<bool> ended = false;
  const auto sleepy = server->node->Listen("sleepy", [&](const auto&) {
    begun.Notify();
    const auto other = *Region::Open({.path = path_, .host = 0, .model = GetParam().model});
    const Region::HostLock lock(*other);
    absl::SleepFor(1.5 * kLease);
    ended = true;
  });
  ASSERT_THAT(sleepy, IsOk());
  client->Connect("sleepy", 0, [](auto) {});
  ASSERT_TRUE(begun.WaitForNotificationWithTimeout(kPatience));
  while (!ended) {
    absl::SleepFor(kLease / 20);
    EXPECT_FALSE(mine->connection->PeerGone());
  }
  server->node->StopListening(*sleepy);
}

TEST_P(RegionNodeTest, AnAttemptWaitsAsLongAsItsServerLives) {
  const auto server = *Join(0);
  const auto slow = server->Listen("slow", [&server](const RegionRequest& request) {
    absl::SleepFor(1.5 * kLease);
    server->Refuse(request, 6, "late");
  });
  ASSERT_THAT(slow, IsOk());
  const auto client = *Join(1);
  const absl::StatusOr<RegionOffer> offer = Connect(*client, "slow");
  ASSERT_THAT(offer, IsOk());
  EXPECT_EQ(offer->answer.refusal, 6);
  server->StopListening(*slow);
}

TEST_P(RegionNodeTest, ANameComesAndGoesWithItsListener) {
  const auto client = *Join(1);
  EXPECT_THAT(Connect(*client, "a"),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("no process serves \"a\"")));
  Serve(0, "a").reset();
  EXPECT_THAT(Connect(*client, "a"), StatusIs(absl::StatusCode::kUnavailable));
  const auto again = Serve(0, "a");
  EXPECT_EQ(HostOf(Connect(*client, "a")), 0);
}

TEST_P(RegionNodeTest, TheServerOfItsOwnOrTheLowestHostIsTaken) {
  const auto client = *Join(2);
  const auto server1 = Serve(1, "a");
  auto server0 = Serve(0, "a");
  EXPECT_EQ(HostOf(Connect(*client, "a")), 0);
  const absl::StatusOr<RegionOffer> own = Connect(*server1->node, "a");  // of one process, even
  ASSERT_EQ(HostOf(own), 1) << own.status();
  EXPECT_FALSE(own->connection->PeerGone());
  server0.reset();
  EXPECT_EQ(HostOf(Connect(*client, "a")), 1);
}

// Every connection's memory comes back, zeroed, when both have let go, and not before.
TEST_P(RegionNodeTest, MemoryIsUsedAgain) {
  const auto client = *Join(1);
  const uint64_t all = client->region().memory_per_host();
  const auto server = Serve(0, "a", all);
  for (int i = 0; i < 3; ++i) {
    absl::StatusOr<RegionOffer> offer;
    ASSERT_TRUE(Eventually([&] {
      offer = Connect(*client, "a");
      return HostOf(offer) == 0;
    })) << i;
    EXPECT_EQ(offer->answer.bytes, all);
    EXPECT_EQ(offer->arena->data()[all - 1], 0);
    offer->arena->data()[all - 1] = 'x';
    // The next is refused as long as we hold this one, although the server has let go.
    {
      absl::MutexLock lock(server->mu);
      server->offers.clear();
    }
    EXPECT_TRUE(Eventually([&] { return offer->connection->PeerGone(); }));
    const absl::StatusOr<RegionOffer> refused = Connect(*client, "a");
    ASSERT_THAT(refused, IsOk());
    EXPECT_EQ(refused->connection, nullptr);
    EXPECT_EQ(refused->answer.refusal, 6);
    EXPECT_THAT(refused->answer.reason, HasSubstr("is full: a connection wants"));
  }
}

TEST_P(RegionNodeTest, CancelledAttemptsLeaveNothing) {
  const auto client = *Join(1);
  const auto slow = *Join(0);
  absl::Mutex mu;
  std::vector<RegionRequest> requests;
  std::atomic<uint64_t> listener = 0;
  listener = *slow->Listen("slow", [&](const RegionRequest& request) {
    slow->StopListening(listener);  // as a callback may
    absl::MutexLock lock(mu);
    requests.push_back(request);
  });
  const uint64_t attempt = client->Connect("slow", 0, [](auto) { FAIL() << "cancelled"; });
  ASSERT_TRUE(Eventually([&] {
    absl::MutexLock lock(mu);
    return !requests.empty();
  }));
  EXPECT_TRUE(client->Cancel(attempt));
  EXPECT_FALSE(client->Cancel(attempt));
  ASSERT_TRUE(Eventually([&] { return !ReadRequest(client->region(), 1, 0).has_value(); }));
  absl::MutexLock lock(mu);
  // An answer that comes too late goes as well, and its memory was not touched.
  const uint64_t begin = slow->region().memory_begin(0);
  *slow->region().MapMemory(0, begin, kBytes)->data() = 'x';
  EXPECT_THAT(slow->Accept(requests[0], kBytes, {}),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("gave up")));
  EXPECT_EQ(*slow->region().MapMemory(0, begin, kBytes)->data(), 'x');
  EXPECT_TRUE(Eventually([&] { return !ReadAnswer(slow->region(), 0, 0).has_value(); }));
}

TEST_P(RegionNodeTest, TwoProcessesOfOneHost) {
  const auto server = Serve(0, "a");
  const auto other = Join(0);
  ASSERT_THAT(other, IsOk());
  EXPECT_THAT(
      (*other)->Listen("a", [](const auto&) {}),
      StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr(absl::StrCat("by process ", getpid()))));
}

TEST_P(RegionNodeTest, TooManyConnectionsAndNames) {
  auto client = *Join(1);
  std::vector<uint64_t> listeners;
  for (uint32_t i = 0; i < kHostNames; ++i) {
    const auto listener = client->Listen(absl::StrCat("name", i), [](const auto&) {});
    ASSERT_THAT(listener, IsOk()) << i;
    listeners.push_back(*listener);
  }
  EXPECT_THAT(client->Listen("more", [](const auto&) {}),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("128 names")));
  std::vector<uint64_t> attempts;  // which get no answer
  for (uint32_t i = 0; i < kHostRequests; ++i) {
    attempts.push_back(client->Connect("name7", 0, [](auto) {}));
    ASSERT_NE(attempts.back(), 0) << i;
  }
  EXPECT_THAT(Connect(*client, "name7"),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("256 connections")));
  for (size_t i = 0; i < attempts.size(); i += 2) EXPECT_TRUE(client->Cancel(attempts[i]));
  for (const uint64_t listener : listeners) client->StopListening(listener);
  // The rest ends with the node.
  client.reset();
  const auto region = *Region::Open({.path = path_, .host = 1});
  for (uint32_t i = 0; i < kHostRequests; ++i) EXPECT_FALSE(ReadRequest(*region, 1, i)) << i;
}

// Where the checker is asked for (its own proof does), only with it.
std::vector<Memory> Memories() {
  const Memory checked = {"FlushChecked", {.coherence = Coherence::kFlush, .private_copy = true}};
  if (getenv("GRPC_CXL_CHECK_FLUSHES") != nullptr) return {checked};
  return {{"Coherent", {}}, {"Flush", {.coherence = Coherence::kFlush}}, checked};
}

INSTANTIATE_TEST_SUITE_P(Memories, RegionNodeTest, ::testing::ValuesIn(Memories()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace grpc_cxl::internal
