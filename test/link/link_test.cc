// Proves the contract of one link, step by step and without a second thread: what Create()
// accepts, bytes in both directions, full rings and the wish for space, doorbells, the end
// of the peer, counters, and positions at the edges of their 64 bits.

#include "grpc_cxl/link/link.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc_cxl/base/layout_version.h"
#include "gtest/gtest.h"
#include "test/link/link_pair.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using Line = DoorbellSleeper::Line;

constexpr size_t kRing = 4 << 10;

absl::StatusOr<std::unique_ptr<Link>> Create(size_t arena_bytes, size_t ring_bytes) {
  absl::StatusOr<Arena> arena = Arena::Create(arena_bytes, {});
  CHECK_OK(arena);
  return Link::Create(Link::Side::kClient, *std::move(arena), UniqueFd(),
                      {.ring_bytes = ring_bytes});
}

std::string ReadAll(Link& link) {
  std::string all;
  for (;;) {
    const absl::StatusOr<size_t> readable = link.Readable();
    CHECK_OK(readable);
    if (*readable == 0) return all;
    const absl::Span<const char> front = link.Front();
    all.append(front.data(), front.size());
    link.Consume(front.size());
  }
}

void Send(Link& link, const std::string& text) {
  ASSERT_THAT(link.Write(text), IsOkAndHolds(text.size()));
  link.Publish();
}

TEST(LinkTest, RingSizesArePowersOfTwoBetween4KiBAnd1GiB) {
  for (const size_t wrong :
       {size_t{0}, size_t{1}, size_t{2048}, size_t{4095}, size_t{4097}, size_t{12288},
        size_t{2} << 30, size_t{1} << 63, std::numeric_limits<size_t>::max()}) {
    EXPECT_THAT(Create(1 << 20, wrong), StatusIs(absl::StatusCode::kInvalidArgument,
                                                 HasSubstr(absl::StrCat(wrong, " bytes"))));
  }
  EXPECT_THAT(Create(ArenaBytes({.ring_bytes = 64 << 10}), 64 << 10), IsOk());
}

TEST(LinkTest, AnArenaMustHoldBothRings) {
  EXPECT_THAT(Create(ArenaBytes({.ring_bytes = kRing}) - 4096, kRing),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("has no room")));
  EXPECT_THAT(Create(ArenaBytes({.ring_bytes = kRing}), kRing), IsOk());
  EXPECT_THAT(Create(ArenaBytes({.ring_bytes = kRing}) + 4096, kRing), IsOk());  // room to spare
}

TEST(LinkTest, TheServerDescribesTheArenaInItsHeader) {
  LinkPair pair(kRing);
  const auto* header = reinterpret_cast<const LinkHeader*>(pair.memory.data());
  EXPECT_EQ(header->layout_version.load(std::memory_order_acquire), kLayoutVersion);
  EXPECT_EQ(header->magic, kArenaMagic);
  EXPECT_EQ(header->arena_bytes, pair.memory.size());
  EXPECT_EQ(header->ring_bytes, kRing);
  EXPECT_EQ(header->server_pid, static_cast<uint32_t>(getpid()));
}

TEST(LinkTest, BytesGoBothWaysInOrderAndAreCounted) {
  LinkPair pair(kRing);
  std::string to_server, to_client, at_server, at_client;
  for (int i = 0; i < 3000; ++i) {  // some ten times round the ring
    const std::string question = absl::StrCat("question ", i, ";");
    const std::string answer = absl::StrCat("the answer to it is ", i * i, ";");
    Send(*pair.client, question);
    at_server += ReadAll(*pair.server);
    Send(*pair.server, answer);
    at_client += ReadAll(*pair.client);
    to_server += question;
    to_client += answer;
  }
  EXPECT_EQ(at_server, to_server);
  EXPECT_EQ(at_client, to_client);
  EXPECT_EQ(pair.client->counters().bytes_written, to_server.size());
  EXPECT_EQ(pair.server->counters().bytes_read, to_server.size());
  EXPECT_EQ(pair.server->counters().bytes_written, to_client.size());
  EXPECT_EQ(pair.client->counters().bytes_read, to_client.size());
  EXPECT_EQ(pair.client->counters().wakes, 0) << "nobody slept";
  EXPECT_EQ(pair.client->counters().full_waits, 0);
}

TEST(LinkTest, NothingIsSeenBeforePublish) {
  LinkPair pair(kRing);
  EXPECT_FALSE(pair.server->MaybeReadable());
  ASSERT_THAT(pair.client->Write(std::string("abc")), IsOkAndHolds(3));
  EXPECT_FALSE(pair.server->MaybeReadable());
  EXPECT_THAT(pair.server->Readable(), IsOkAndHolds(0));
  pair.client->Publish();
  EXPECT_TRUE(pair.server->MaybeReadable());
  EXPECT_EQ(ReadAll(*pair.server), "abc");
  EXPECT_FALSE(pair.server->MaybeReadable());
}

TEST(LinkTest, ASleeperIsRungOnceANap) {
  LinkPair pair(kRing);
  Send(*pair.client, "while it is awake");
  EXPECT_EQ(pair.client->counters().wakes, 0);
  pair.server->PrepareToSleep();
  Send(*pair.client, "a");
  Send(*pair.client, "b");
  EXPECT_EQ(pair.client->counters().wakes, 1);
  char bytes[8];
  EXPECT_EQ(recv(pair.server->socket(), bytes, sizeof(bytes), MSG_PEEK), 1);
  pair.server->Awake();
  EXPECT_EQ(pair.server->Drain(), Line::kOpen);
  EXPECT_EQ(recv(pair.server->socket(), bytes, sizeof(bytes), 0), -1);
  pair.server->PrepareToSleep();
  Send(*pair.client, "c");
  EXPECT_EQ(pair.client->counters().wakes, 2);
}

// A writer whose ring is full is rung when half of it is free, not before; and not any
// more once it has what it wanted.
TEST(LinkTest, AWriterThatWantsSpaceIsRungAtHalf) {
  LinkPair pair(kRing);
  const std::string twice(2 * kRing, 'x');
  ASSERT_THAT(pair.client->Write(twice), IsOkAndHolds(kRing));
  pair.client->Publish();
  pair.client->WantSpace();
  EXPECT_EQ(pair.client->counters().full_waits, 1);
  EXPECT_THAT(pair.client->Write(std::string("x")), IsOkAndHolds(0));
  pair.client->PrepareToSleep();

  ASSERT_THAT(pair.server->Readable(), IsOkAndHolds(kRing));
  pair.server->Consume(kRing / 2 - 1);
  EXPECT_EQ(pair.server->counters().wakes, 0);
  EXPECT_FALSE(pair.client->MaybeWritable());
  pair.server->Consume(1);
  EXPECT_EQ(pair.server->counters().wakes, 1);
  EXPECT_TRUE(pair.client->MaybeWritable());

  pair.client->Awake();
  EXPECT_EQ(pair.client->Drain(), Line::kOpen);
  EXPECT_THAT(pair.client->Write(twice), IsOkAndHolds(kRing / 2));
  pair.client->ClearWantSpace();
  pair.client->Publish();
  pair.client->PrepareToSleep();
  ReadAll(*pair.server);
  EXPECT_EQ(pair.server->counters().wakes, 1) << "the wish was taken back";
}

TEST(LinkTest, CloseDeliversWhatWasPublishedThenTheEnd) {
  for (const bool server_closes : {true, false}) {
    LinkPair pair(kRing);
    Link& closer = server_closes ? *pair.server : *pair.client;
    Link& other = server_closes ? *pair.client : *pair.server;
    other.PrepareToSleep();
    Send(closer, "last words");
    ASSERT_THAT(closer.Write(std::string("never published")), IsOk());
    closer.Close();
    EXPECT_EQ(other.Drain(), Line::kPeerGone);
    EXPECT_EQ(ReadAll(other), "last words");
    EXPECT_EQ(other.Drain(), Line::kPeerGone) << "once gone, always gone";
    EXPECT_EQ(closer.Drain(), Line::kPeerGone) << "so that the closer's own poller sees it";
    Send(other, "into the void");  // and no SIGPIPE
  }
}

TEST(LinkTest, DestroyingAnEndIsTheSameAsClosing) {
  LinkPair pair(kRing);
  Send(*pair.client, "last words");
  pair.client.reset();
  EXPECT_EQ(pair.server->Drain(), Line::kPeerGone);
  EXPECT_EQ(ReadAll(*pair.server), "last words");
}

// The peer may put more bytes into the socket than one Drain() takes, and die. The poller
// waits for edges, so Drain() has to say that it has not seen the end yet.
TEST(LinkTest, TheEndBehindAFloodIsFound) {
  LinkPair pair(kRing);
  int flood = 0;
  while (send(pair.client->socket(), "", 1, MSG_DONTWAIT) == 1) ++flood;
  ASSERT_GT(flood, 256) << "the socket takes too little for this test";
  pair.client.reset();
  int drains = 0;
  Line line;
  while ((line = pair.server->Drain()) == Line::kFlooded) ++drains;
  EXPECT_EQ(line, Line::kPeerGone);
  EXPECT_EQ(drains, flood / 256);
}

// Positions only ever grow. Links that start close below 2^32 and 2^64 pass those marks in
// a few bytes, with full rings, wishes for space and naps.
TEST(LinkTest, PositionsPassAnyMark) {
  for (const uint64_t mark : {uint64_t{1} << 32, uint64_t{1} << 63, uint64_t{0}}) {
    SCOPED_TRACE(mark);
    LinkPair pair(kRing);
    pair.server.reset();
    pair.client.reset();
    const uint64_t start = mark - 3 * kRing - 5;
    for (LinkSideWords* words : {&pair.server_words(), &pair.client_words()}) {
      words->tx.head = start;
      words->rx.tail = start;
    }
    pair.Reconnect();
    std::string sent, received;
    for (int round = 0; round < 12; ++round) {
      std::string text(kRing + 100, static_cast<char>('a' + round));
      const absl::StatusOr<size_t> written = pair.client->Write(text);
      ASSERT_THAT(written, IsOkAndHolds(kRing));
      sent.append(text, 0, *written);
      pair.client->WantSpace();
      pair.client->PrepareToSleep();
      pair.client->Publish();
      ASSERT_FALSE(pair.client->MaybeWritable());
      ASSERT_TRUE(pair.server->MaybeReadable());
      const uint64_t rings = pair.server->counters().wakes;
      received += ReadAll(*pair.server);
      ASSERT_TRUE(pair.client->MaybeWritable());
      ASSERT_FALSE(pair.server->MaybeReadable());
      ASSERT_EQ(pair.server->counters().wakes, rings + 1);
    }
    EXPECT_EQ(received, sent);
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
