// SPDX-License-Identifier: Apache-2.0
// Proves that a call back gets the newest line of its client, waits for one as long as it may, and
// that no line comes from anybody else.
#include "grpc_cxl/event_engine/way_back.h"

#include <grpc/event_engine/event_engine.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status_matchers.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "grpc_cxl/rendezvous/line.h"
#include "gtest/gtest.h"
#include "test/rendezvous/raw_peer.h"
#include "test/support/await_readable.h"
#include "test/support/lingering_socket.h"
#include "test/support/socket_pair.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

class WayBackTest : public ::testing::Test {
 protected:
  // This process is the client.
  static PeerProcess Client() { return PeerProcess::Of(SocketPair().ours.get()).value(); }
  static std::shared_ptr<WayBack> Make(const LineKey& key, const PeerProcess& client) {
    return WayBack::Make(grpc_event_engine::experimental::GetDefaultEventEngine(), {key, client},
                         {.identity = "pid=1,uid=1", .trust = PeerTrust::kStranger}, {});
  }
  absl::Status Bring(SocketPair& line) { return WayBack::Bring(line.ours, ClaimOf(key_)); }

  // What Await() hands over.
  struct Result {
    absl::Notification done;
    absl::StatusOr<UniqueFd> line;
  };
  void Await(Result& result, std::chrono::milliseconds patience = std::chrono::seconds(30)) {
    way_->Await(patience, [&result](absl::StatusOr<UniqueFd> line) {
      result.line = std::move(line);
      result.done.Notify();
    });
  }
  // Whether what is said on one is heard on the other.
  static bool Reaches(const UniqueFd& one, const UniqueFd& other) {
    char byte;
    return send(one.get(), "x", 1, MSG_NOSIGNAL) == 1 &&
           recv(other.get(), &byte, 1, MSG_DONTWAIT) == 1;
  }

  const LineKey key_ = LineKey::Fresh();
  std::shared_ptr<WayBack> way_ = Make(key_, Client());
};

TEST_F(WayBackTest, TheNewestLineIsKept) {
  SocketPair older, newer;
  ASSERT_THAT(Bring(older), IsOk());
  ASSERT_THAT(Bring(newer), IsOk());
  char byte;
  EXPECT_TRUE(AwaitReadable(older.theirs.get()));
  EXPECT_EQ(recv(older.theirs.get(), &byte, 1, MSG_DONTWAIT), 0) << "closed";
  Result result;
  Await(result);
  ASSERT_TRUE(result.done.HasBeenNotified());
  ASSERT_THAT(result.line, IsOk());
  EXPECT_TRUE(Reaches(*result.line, newer.theirs));
}

TEST_F(WayBackTest, WhoWaitsGetsTheNextLineInTurn) {
  Result first, second;
  Await(first);
  Await(second);
  EXPECT_FALSE(first.done.HasBeenNotified());
  SocketPair line, next;
  ASSERT_THAT(Bring(line), IsOk());
  first.done.WaitForNotification();
  EXPECT_TRUE(Reaches(first.line.value(), line.theirs));
  EXPECT_FALSE(second.done.HasBeenNotified());
  ASSERT_THAT(Bring(next), IsOk());
  second.done.WaitForNotification();
  EXPECT_TRUE(Reaches(second.line.value(), next.theirs));
}

TEST_F(WayBackTest, PatienceEnds) {
  Result late, other;
  Await(late, std::chrono::milliseconds(20));
  late.done.WaitForNotification();
  EXPECT_THAT(late.line, StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("no line")));
  SocketPair line;
  ASSERT_THAT(Bring(line), IsOk());
  Await(other);
  EXPECT_TRUE(Reaches(other.line.value(), line.theirs)) << "nobody has it yet";
}

TEST_F(WayBackTest, OnlyTheClientBringsLines) {
  SocketPair line;
  EXPECT_THAT(WayBack::Bring(line.ours, ClaimOf(LineKey::Fresh())),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("no connection")));
  PeerProcess other = Client();
  ++other.number;
  const LineKey of_other = LineKey::Fresh();
  const auto others_way = Make(of_other, other);
  EXPECT_THAT(WayBack::Bring(line.ours, ClaimOf(of_other)),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("another process")));
  EXPECT_TRUE(line.ours) << "for a refusal";
}

// The client has put a file into the line whose close() takes 20 s.
TEST_F(WayBackTest, NobodyWaitsForAFileOnALine) {
  UniqueFd readers[3];
  SocketPair lines[3];
  for (int i = 0; i < 3; ++i) {
    SendRaw(lines[i].theirs.get(), "x", {LingeringSocket(&readers[i]).get()});
  }
  const auto start = std::chrono::steady_clock::now();
  ASSERT_THAT(Bring(lines[0]), IsOk());
  ASSERT_THAT(Bring(lines[1]), IsOk());  // in the place of the other
  const LineKey key = LineKey::Fresh();
  auto other = Make(key, Client());
  ASSERT_THAT(WayBack::Bring(lines[2].ours, ClaimOf(key)), IsOk());
  other.reset();
  way_.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST_F(WayBackTest, ItsKeyGoesWithIt) {
  const LineKey key = LineKey::Fresh();
  SocketPair line;
  Make(key, Client()).reset();
  ASSERT_THAT(WayBack::Bring(line.ours, ClaimOf(key)),
              StatusIs(absl::StatusCode::kPermissionDenied));
  // A client that gives two connections one key has the way of the newer one.
  const auto newer = Make(key_, Client());
  ASSERT_THAT(Bring(line), IsOk());
  Result result;
  newer->Await(std::chrono::seconds(30),
               [&result](absl::StatusOr<UniqueFd> got) { result.line = std::move(got); });
  EXPECT_TRUE(Reaches(result.line.value(), line.theirs));
}

}  // namespace
}  // namespace grpc_cxl::internal
