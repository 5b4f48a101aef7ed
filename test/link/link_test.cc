// SPDX-License-Identifier: Apache-2.0
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

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc_cxl/base/layout_version.h"
#include "gtest/gtest.h"
#include "test/link/link_pair.h"
#include "test/support/eventually.h"
#include "test/support/forked_child.h"
#include "test/support/socket_pair.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using Line = DoorbellSleeper::Line;

constexpr size_t kRing = 4 << 10;

absl::Status Create(size_t arena_bytes, const LinkSizes& sizes) {
  absl::StatusOr<Arena> arena = Arena::Create(arena_bytes, {});
  CHECK_OK(arena);
  return Link::Create(Link::Side::kClient, *std::move(arena), UniqueFd(), sizes).status();
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

TEST(LinkTest, SizesThatAreNone) {
  constexpr size_t kMost = std::numeric_limits<size_t>::max();
  for (const size_t wrong : {size_t{0}, size_t{1}, size_t{2048}, size_t{4095}, size_t{4097},
                             size_t{12288}, size_t{2} << 30, size_t{1} << 63, kMost}) {
    EXPECT_THAT(Create(1 << 20, {.ring_bytes = wrong}),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr(absl::StrCat("a ring of ", wrong, " bytes"))));
  }
  for (const size_t wrong : {size_t{1}, size_t{4097}, size_t{2} << 30, kMost - 4095}) {
    EXPECT_THAT(Create(1 << 20, {.ring_bytes = kRing, .payload_bytes = wrong}),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr(absl::StrCat("a payload area of ", wrong, " bytes"))));
  }
}

TEST(LinkTest, AnArenaMustHoldAll) {
  const LinkSizes sizes{.ring_bytes = kRing, .payload_bytes = 8192, .call_bytes = 4096};
  EXPECT_THAT(Create(ArenaBytes(sizes), sizes), IsOk());
  EXPECT_THAT(Create(ArenaBytes(sizes) + 4096, sizes), IsOk());
  EXPECT_THAT(Create(ArenaBytes(sizes) - 4096, sizes),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("has no space")));
  EXPECT_THAT(Create(1 << 20, {.ring_bytes = kRing, .call_bytes = size_t{0} - 4096}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("has no space")));
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
  uint64_t asked = 0, answered = 0;
  for (int i = 0; i < 3000; ++i) {  // some ten times round the ring
    const std::string question = absl::StrCat("question ", i, ";");
    const std::string answer = absl::StrCat("the answer to it is ", i * i, ";");
    Send(*pair.client, question);
    ASSERT_EQ(ReadAll(*pair.server), question);
    Send(*pair.server, answer);
    ASSERT_EQ(ReadAll(*pair.client), answer);
    asked += question.size();
    answered += answer.size();
  }
  EXPECT_EQ(pair.client->counters().bytes_written, asked);
  EXPECT_EQ(pair.server->counters().bytes_read, asked);
  EXPECT_EQ(pair.server->counters().bytes_written, answered);
  EXPECT_EQ(pair.client->counters().bytes_read, answered);
  EXPECT_EQ(pair.client->counters().wakes, 0) << "nobody slept";
  EXPECT_EQ(pair.client->counters().full_waits, 0);
}

TEST(LinkTest, ASleeperIsWokenOnceANap) {
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

// A writer whose ring is full is woken when half of it is free, not before; and not any
// more once it has what it wanted.
TEST(LinkTest, AWriterThatWantsSpaceIsWokenAtHalf) {
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
  pair.client->Look();
  EXPECT_FALSE(pair.client->MaybeWritable());
  pair.server->Consume(1);
  EXPECT_EQ(pair.server->counters().wakes, 1);
  pair.client->Look();
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

// Nobody wakes it for a wish that is over.
TEST(LinkTest, AWishThatIsOverHidesNoSpace) {
  LinkPair pair(kRing);
  ASSERT_THAT(pair.client->Write(std::string(kRing, 'x')), IsOkAndHolds(kRing));
  pair.client->Publish();
  pair.client->WantSpace();
  ASSERT_THAT(pair.server->Readable(), IsOkAndHolds(kRing));
  pair.server->Consume(2);
  EXPECT_THAT(pair.client->Write(std::string("x")), IsOkAndHolds(1));
  EXPECT_FALSE(pair.client->MaybeWritable());
  pair.client->ClearWantSpace();
  EXPECT_TRUE(pair.client->MaybeWritable());
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
  LinkPair pair(kRing);
  pair.client.reset();
  EXPECT_TRUE(Eventually([&] { return pair.server->Drain() == Line::kPeerGone; }))
      << "destroying is the same, though the socket may be closed by another thread";
}

// The peer can overwrite our words as well: a hint that relied on them would keep a polling
// thread awake for ever.
TEST(LinkTest, AForkedChildEndsNothing) {
  absl::StatusOr<Arena> arena = Arena::Create(64 << 10, {});
  ASSERT_THAT(arena, IsOk());
  arena->KeepFromChildren();
  SocketPair sockets;
  auto link = Link::Create(Link::Side::kServer, *std::move(arena), std::move(sockets.ours),
                           {.ring_bytes = kRing});
  ASSERT_THAT(link, IsOk());
  ForkedChild child([&link] {
    (*link)->CloseStream();
    (*link)->Close();
    *link = nullptr;
    return "";
  });
  EXPECT_EQ(child.Join(), "");
  char byte;
  EXPECT_EQ(recv(sockets.theirs.get(), &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ((*link)->Drain(), Line::kOpen);
}

TEST(LinkTest, HintsDoNotTrustOurOwnWordsInTheArena) {
  for (const uint64_t value : {uint64_t{0}, uint64_t{1}, kRing - 1, kRing + 1, 3 * kRing,
                               uint64_t{1} << 63, ~uint64_t{0}}) {
    SCOPED_TRACE(value);
    LinkPair pair(kRing);
    Send(*pair.client, std::string(10, 'c'));
    ASSERT_THAT(pair.server->Readable(), IsOkAndHolds(10));
    pair.server->Consume(10);
    Send(*pair.server, std::string(kRing, 's'));
    pair.server->WantSpace();
    *pair.server_look().tail = value;
    pair.server_words().tx.want_space = value;
    *pair.server_look().head = value;
    EXPECT_FALSE(pair.server->MaybeReadable());
    EXPECT_FALSE(pair.server->MaybeWritable());
    EXPECT_THAT(pair.server->Readable(), IsOkAndHolds(0));
    EXPECT_THAT(pair.server->Write(std::string("x")), IsOkAndHolds(0));
  }
}

// Positions only ever grow. Links that start close below 2^32 and 2^64 pass those marks in
// a few bytes, with full rings, wishes for space and naps.
TEST(LinkTest, PositionsPassAnyMark) {
  for (const uint64_t mark : {uint64_t{1} << 32, uint64_t{1} << 63, uint64_t{0}}) {
    SCOPED_TRACE(mark);
    LinkPair pair(kRing);
    pair.MoveTo(mark - 3 * kRing - 5);
    for (int round = 0; round < 12; ++round) {
      const std::string text(kRing + 100, static_cast<char>('a' + round));
      ASSERT_THAT(pair.client->Write(text), IsOkAndHolds(kRing));
      pair.client->WantSpace();
      pair.client->PrepareToSleep();
      pair.client->Publish();
      pair.client->Look();
      ASSERT_FALSE(pair.client->MaybeWritable());
      pair.server->Look();
      ASSERT_TRUE(pair.server->MaybeReadable());
      const uint64_t wakes = pair.server->counters().wakes;
      ASSERT_EQ(ReadAll(*pair.server), text.substr(0, kRing));
      pair.client->Look();
      ASSERT_TRUE(pair.client->MaybeWritable());
      pair.server->Look();
      ASSERT_FALSE(pair.server->MaybeReadable());
      ASSERT_EQ(pair.server->counters().wakes, wakes + 1);
    }
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
