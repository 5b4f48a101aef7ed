// Processes that meet in a region, here two nodes of one process as two hosts, with coherent
// memory, without, and without under the checker.

#include "grpc_cxl/region/region_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

// Long enough for a process to keep on a busy machine, short enough to wait for.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr absl::Duration kLease = absl::Seconds(2);
#else
constexpr absl::Duration kLease = absl::Milliseconds(500);
#endif

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(30);  // until a test gives up
constexpr size_t kBytes = 64 << 10;

// Whether `done` becomes true in time.
template <typename Done>
bool Eventually(Done done) {
  const absl::Time start = absl::Now();
  while (!done()) {
    if (absl::Now() - start > kPatience) return false;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return true;
}

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

  // Accepts all that come, with `kBytes` each.
  struct Server {
    std::shared_ptr<RegionNode> node;
    uint64_t listener;
    absl::Mutex mu;
    std::vector<absl::StatusOr<RegionOffer>> offers ABSL_GUARDED_BY(mu);

    ~Server() {
      node->StopListening(listener);
      absl::MutexLock lock(mu);
      offers.clear();
    }
    size_t count() {
      absl::MutexLock lock(mu);
      return offers.size();
    }
  };
  std::unique_ptr<Server> Serve(uint32_t host, const std::string& name, size_t bytes = kBytes) {
    auto server = std::make_unique<Server>();
    server->node = *Join(host);
    server->listener = *server->node->Listen(name, [raw = server.get(),
                                                    bytes](const RegionNode::Request& request) {
      absl::StatusOr<RegionOffer> offer = raw->node->Accept(request, bytes, {.ring_bytes = 4711});
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

  static void Drop(absl::StatusOr<RegionOffer>& offer) {
    offer->arena.reset();
    offer->connection.reset();
  }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_.path() + "/region";
};

TEST_P(RegionNodeTest, TwoHostsMeet) {
  const auto server = Serve(0, "shop/payments");
  const auto client = *Join(2);
  absl::StatusOr<RegionOffer> mine = Connect(*client, "shop/payments");
  ASSERT_THAT(mine, IsOk());
  ASSERT_NE(mine->connection, nullptr);
  EXPECT_EQ(mine->answer.ring_bytes, 4711);
  EXPECT_EQ(mine->arena->size(), kBytes);
  EXPECT_EQ(mine->connection->peer_host(), 0);
  EXPECT_EQ(mine->connection->peer_pid(), getpid());
  absl::MutexLock lock(server->mu);
  ASSERT_EQ(server->offers.size(), 1);
  RegionOffer& theirs = *server->offers[0];
  EXPECT_EQ(theirs.connection->peer_host(), 2);
  EXPECT_EQ(theirs.connection->peer_pid(), getpid());
  strcpy(mine->arena->data(), "hello");
  EXPECT_STREQ(theirs.arena->data(), "hello");
  EXPECT_FALSE(mine->connection->PeerGone());
  EXPECT_FALSE(theirs.connection->PeerGone());
  mine->connection->Close();
  EXPECT_TRUE(Eventually([&] { return theirs.connection->PeerGone(); }));
}

TEST_P(RegionNodeTest, AConnectionOutlivesManyLeases) {
  const auto server = Serve(0, "a");
  const auto client = *Join(1);
  absl::StatusOr<RegionOffer> mine = Connect(*client, "a");
  ASSERT_THAT(mine, IsOk());
  for (int i = 0; i < 20; ++i) {
    absl::SleepFor(client->region().lease() / 5);
    absl::MutexLock lock(server->mu);
    EXPECT_FALSE(mine->connection->PeerGone());
    EXPECT_FALSE(server->offers[0]->connection->PeerGone());
  }
}

TEST_P(RegionNodeTest, TheClientHearsThatTheServerCloses) {
  const auto server = Serve(0, "a");
  const auto client = *Join(1);
  absl::StatusOr<RegionOffer> mine = Connect(*client, "a");
  ASSERT_THAT(mine, IsOk());
  {
    absl::MutexLock lock(server->mu);
    server->offers[0]->connection->Close();
  }
  EXPECT_TRUE(Eventually([&] { return mine->connection->PeerGone(); }));
}

TEST_P(RegionNodeTest, NobodyServesTheName) {
  const auto client = *Join(1);
  EXPECT_THAT(Connect(*client, "nobody"),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("nobody serves \"nobody\"")));
}

TEST_P(RegionNodeTest, ANameGoesWithItsListener) {
  const auto client = *Join(1);
  Serve(0, "a").reset();
  EXPECT_THAT(Connect(*client, "a"), StatusIs(absl::StatusCode::kUnavailable));
  const auto again = Serve(0, "a");
  EXPECT_THAT(Connect(*client, "a"), IsOk());
}

TEST_P(RegionNodeTest, TheServerOfTheLowestHostIsTaken) {
  const auto client = *Join(2);
  const auto server1 = Serve(1, "a");
  auto server0 = Serve(0, "a");
  absl::StatusOr<RegionOffer> offer = Connect(*client, "a");
  ASSERT_THAT(offer, IsOk());
  EXPECT_EQ(offer->connection->peer_host(), 0);
  server0.reset();
  offer = Connect(*client, "a");
  ASSERT_THAT(offer, IsOk());
  EXPECT_EQ(offer->connection->peer_host(), 1);
}

TEST_P(RegionNodeTest, ItsOwnHostComesFirst) {
  const auto server0 = Serve(0, "a"), server1 = Serve(1, "a");
  absl::StatusOr<RegionOffer> offer = Connect(*server1->node, "a");  // of one process, even
  ASSERT_THAT(offer, IsOk());
  EXPECT_EQ(offer->connection->peer_host(), 1);
  EXPECT_FALSE(offer->connection->PeerGone());
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
      return !offer.ok() || offer->connection != nullptr;
    })) << "round "
        << i;
    ASSERT_THAT(offer, IsOk());
    EXPECT_EQ(offer->answer.bytes, all);
    EXPECT_EQ(offer->arena->data()[all - 1], 0);
    offer->arena->data()[all - 1] = 'x';
    // The next is refused as long as we hold this one, although the server has let go.
    {
      absl::MutexLock lock(server->mu);
      for (auto& theirs : server->offers) {
        if (theirs.ok()) Drop(theirs);
      }
      server->offers.clear();
    }
    EXPECT_TRUE(Eventually([&] { return offer->connection->PeerGone(); }));
    const absl::StatusOr<RegionOffer> refused = Connect(*client, "a");
    ASSERT_THAT(refused, IsOk());
    EXPECT_EQ(refused->connection, nullptr);
    EXPECT_EQ(refused->answer.refusal, 6);
    EXPECT_THAT(refused->answer.reason, HasSubstr("is full: a connection wants"));
    Drop(offer);
  }
}

TEST_P(RegionNodeTest, CancelledAttemptsLeaveNothing) {
  const auto client = *Join(1);
  const auto slow = *Join(0);
  absl::Mutex mu;
  std::vector<RegionNode::Request> requests;
  const auto listener = slow->Listen("slow", [&](const RegionNode::Request& request) {
    absl::MutexLock lock(mu);
    requests.push_back(request);
  });
  ASSERT_THAT(listener, IsOk());
  const uint64_t attempt = client->Connect("slow", 0, [](auto) { FAIL() << "cancelled"; });
  ASSERT_TRUE(Eventually([&] {
    absl::MutexLock lock(mu);
    return !requests.empty();
  }));
  EXPECT_TRUE(client->Cancel(attempt));
  EXPECT_FALSE(client->Cancel(attempt));
  absl::MutexLock lock(mu);
  ASSERT_TRUE(Eventually([&] { return !ReadRequest(client->region(), 1, 0).has_value(); }));
  // An answer that comes too late goes as well.
  absl::StatusOr<RegionOffer> late = slow->Accept(requests[0], kBytes, {});
  ASSERT_THAT(late, IsOk());
  EXPECT_TRUE(Eventually([&] { return late->connection->PeerGone(); }));
  Drop(late);
  EXPECT_TRUE(Eventually([&] { return !ReadAnswer(slow->region(), 0, 0).has_value(); }));
  slow->StopListening(*listener);
}

TEST_P(RegionNodeTest, ANameIsServedOnceOnAHost) {
  if (GetParam().model.private_copy) GTEST_SKIP() << "the checker allows one process for a host";
  const auto server = Serve(0, "a");
  const auto other = *Join(0);
  EXPECT_THAT(
      other->Listen("a", [](const auto&) {}),
      StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr(absl::StrCat("by process ", getpid()))));
}

TEST_P(RegionNodeTest, TheCheckerTakesProcessesForHosts) {
  const auto one = *Join(0);
  const auto other = Join(0);
  if (GetParam().model.private_copy) {
    EXPECT_THAT(other, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("one process")));
  } else {
    EXPECT_THAT(other, IsOk());
  }
}

TEST_P(RegionNodeTest, TooManyConnectionsAndNames) {
  const auto client = *Join(1);
  std::vector<uint64_t> listeners;
  for (uint32_t i = 0; i < kHostNames; ++i) {
    const auto listener = client->Listen(absl::StrCat("name", i), [](const auto&) {});
    ASSERT_THAT(listener, IsOk()) << i;
    listeners.push_back(*listener);
  }
  EXPECT_THAT(client->Listen("more", [](const auto&) {}),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("128 names")));
  std::vector<uint64_t> attempts;  // which nobody answers
  for (uint32_t i = 0; i < kHostRequests; ++i) {
    attempts.push_back(client->Connect("name7", 0, [](auto) {}));
    ASSERT_NE(attempts.back(), 0) << i;
  }
  EXPECT_THAT(Connect(*client, "name7"),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("256 connections")));
  for (const uint64_t attempt : attempts) EXPECT_TRUE(client->Cancel(attempt));
  for (const uint64_t listener : listeners) client->StopListening(listener);
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
