// SPDX-License-Identifier: Apache-2.0
// Proves how a connection ends, from the endpoint's side: destroyed with a read and a write
// pending, destroyed inside a callback, both ends at once; closed by the peer after its last
// bytes; killed. Pending callbacks come exactly once, with an error, never from inside the
// destructor; what the peer had published comes before the end; and a write that waits for a
// dead peer fails at once together with the read, because gRPC cannot close a transport
// whose write hangs. The same with DATA_LOSS for a hostile peer (which words cannot be is proved
// in test/ring, test/blocks and test/link); a flood of wake-up bytes neither hides the peer's end
// nor starves other connections.

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "grpc_cxl/blocks/block_pool.h"
#include "grpc_cxl/endpoint/endpoint_core.h"
#include "grpc_cxl/link/record_layout.h"
#include "grpc_cxl/link/record_writer.h"
#include "gtest/gtest.h"
#include "test/endpoint/endpoint_pair.h"
#include "test/link/link_pair.h"
#include "test/link/stream_bytes.h"
#include "test/support/forked_child.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr size_t kRing = 4 << 10;
constexpr size_t kFits = kRing - kRecordHeaderBytes;

// A read and a write that wait for the peer.
struct PendingBoth {
  explicit PendingBoth(EventEngine::Endpoint& endpoint, absl::AnyInvocable<void()> in_read = {},
                       absl::AnyInvocable<void()> in_write = {}) {
    Append(out, std::string(4 * kRing, 'x'));
    CHECK(!endpoint.Read(read.Callback(std::move(in_read)), &in, {}));
    CHECK(!endpoint.Write(written.Callback(std::move(in_write)), &out, {}));
  }
  void ExpectBothFail(absl::StatusCode code) const {
    for (const Outcome* outcome : {&written, &read}) {
      EXPECT_THAT(outcome->Wait(), StatusIs(code));
      EXPECT_EQ(outcome->calls(), 1);
    }
  }

  SliceBuffer in, out;
  Outcome read, written;
};

TEST(EndpointEndTest, DestroyedWithBothPending) {
  for (int round = 0; round < 200; ++round) {
    EndpointPair pair(kRing);
    thread_local bool inside_destructor;
    inside_destructor = false;
    const auto not_inline = [] { EXPECT_FALSE(inside_destructor); };
    PendingBoth pending(*pair.client, not_inline, not_inline);
    inside_destructor = true;
    pair.client.reset();
    inside_destructor = false;
    pending.ExpectBothFail(absl::StatusCode::kCancelled);
  }
}

TEST(EndpointEndTest, BothEndsDestroyedAtOnceWithBytesOnTheirWay) {
  for (int round = 0; round < 200; ++round) {
    EndpointPair pair(kRing);
    SliceBuffer in[2], out[2];
    Outcome read[2], written[2];
    EventEngine::Endpoint* const ends[2] = {pair.client.get(), pair.server.get()};
    bool waits[2];
    for (const int i : {0, 1}) {
      Append(out[i], std::string(4 * kRing, 'x'));
      waits[i] = !ends[i]->Read(read[i].Callback(), &in[i], {});
      ASSERT_FALSE(ends[i]->Write(written[i].Callback(), &out[i], {}));
    }
    std::thread other([&] { pair.server.reset(); });
    pair.client.reset();
    other.join();
    for (const int i : {0, 1}) {
      // Either the other's first bytes came in time or the end.
      EXPECT_TRUE(!waits[i] || read[i].Wait().ok() == (in[i].Length() > 0));
      EXPECT_EQ(read[i].calls(), waits[i] ? 1 : 0);
      EXPECT_FALSE(written[i].Wait().ok());
      EXPECT_EQ(written[i].calls(), 1);
    }
  }
}

TEST(EndpointEndTest, DestroyedInsideItsOwnCallback) {
  for (const bool other_end_too : {false, true}) {
    EndpointPair pair(kRing);
    SliceBuffer in;
    Outcome read;
    const auto destroy = [&] {
      pair.server.reset();
      if (other_end_too) pair.client.reset();
    };
    ASSERT_FALSE(pair.server->Read(read.Callback(destroy), &in, {}));
    ASSERT_THAT(WriteAll(*pair.client, "x"), IsOk());
    ASSERT_THAT(read.Wait(), IsOk());
    EXPECT_EQ(read.calls(), 1);
    EXPECT_EQ(ToString(in), "x");
  }
}

TEST(EndpointEndTest, DestroyedInsideTheCallbackOfItsFailure) {
  EndpointPair pair(kRing);
  PendingBoth pending(*pair.client, [&] { pair.client.reset(); });
  pair.server.reset();
  EXPECT_FALSE(pending.read.Wait().ok());
  EXPECT_FALSE(pending.written.Wait().ok());
}

TEST(EndpointEndTest, BytesComeBeforeTheEnd) {
  for (const size_t bytes : {size_t{1}, kFits - 1, kFits}) {
    EndpointPair pair(kRing);
    ASSERT_THAT(WriteAll(*pair.client, TextAt(0, bytes)), IsOk());
    pair.client.reset();
    EXPECT_THAT(ReadExactly(*pair.server, bytes), IsOkAndHolds(TextAt(0, bytes)));
    for (int i = 0; i < 2; ++i) {
      EXPECT_THAT(ReadOnce(*pair.server),
                  StatusIs(absl::StatusCode::kUnavailable, HasSubstr("cxl peer closed")));
    }
    // Like the socket of a peer that is gone: it takes what fits, for nobody, and no more.
    EXPECT_THAT(WriteAll(*pair.server, "too late"), IsOk());
    EXPECT_FALSE(WriteAll(*pair.server, std::string(kFits, 'z')).ok());
  }
}

// In the callback of the read, gRPC may wait for the write's: a callback that blocks must
// not keep the other from coming.
TEST(EndpointEndTest, APeerThatClosesFailsBothAndNeitherWaitsForTheOther) {
  EndpointPair pair(kRing);
  absl::Notification written;
  PendingBoth pending(
      *pair.server, [&] { EXPECT_TRUE(written.WaitForNotificationWithTimeout(absl::Minutes(1))); },
      [&] { written.Notify(); });
  pair.client.reset();
  pending.ExpectBothFail(absl::StatusCode::kUnavailable);
}

// The child only holds the peer's end of the link: after a fork from a process with threads,
// which may hold locks, little else is safe.
TEST(EndpointEndTest, APeerThatIsKilledFailsBothPending) {
  for (int round = 1; round <= 50; ++round) {
    LinkPair link(kRing);
    const std::string text = TextAt(round, round);
    RecordWriter records(link.client.get());
    records.Begin(round);
    records.Append(text);
    link.client->Publish();
    ForkedChild child([]() -> std::string {
      for (;;) pause();
    });
    link.client.reset();
    const auto endpoint = MakeEndpoint(std::move(link.server));
    ASSERT_THAT(ReadExactly(*endpoint, round), IsOkAndHolds(text));
    PendingBoth pending(*endpoint);
    child.Kill();
    pending.ExpectBothFail(absl::StatusCode::kUnavailable);
  }
}

constexpr uint64_t kImpossible = 12345678901234;

// An endpoint whose peer is this test, with the other end of the link in its hands.
struct Victim {
  explicit Victim(size_t payload_bytes = 0)
      : link(kRing, payload_bytes), endpoint(MakeEndpoint(std::move(link.server))) {}
  bool SendByte() const {
    return send(link.client->socket(), "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
  }
  LinkPair link;
  std::unique_ptr<EventEngine::Endpoint> endpoint;
};

TEST(EndpointHostilePeerTest, AnImpossibleWordFailsBothPending) {
  for (const bool head : {true, false}) {
    Victim victim;
    PendingBoth pending(*victim.endpoint);
    const LinkLookWords<SharedU64> words = victim.link.client_look();
    *(head ? words.head : words.tail) = kImpossible;
    while (!victim.SendByte()) ASSERT_EQ(errno, EAGAIN);
    pending.ExpectBothFail(absl::StatusCode::kDataLoss);
    EXPECT_FALSE(ReadOnce(*victim.endpoint).ok());
  }
}

TEST(EndpointHostilePeerTest, ABrokenReturnRingFailsTheReadAsWell) {
  Victim victim(/*payload_bytes=*/1 << 20);
  const std::string text(kBlockThreshold, 'x');
  ASSERT_THAT(WriteAll(*victim.endpoint, text), IsOk());
  SliceBuffer in;
  Outcome read;
  ASSERT_FALSE(victim.endpoint->Read(read.Callback(), &in, {}));
  *victim.link.client_look().returned = kImpossible;
  // Where memory is not coherent, it is seen with a later look, at the latest for want of blocks.
  absl::Status written;
  for (int writes = 0; written.ok() && writes < 100; ++writes) {
    written = WriteAll(*victim.endpoint, text);
  }
  EXPECT_THAT(written, StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(read.Wait(), StatusIs(absl::StatusCode::kDataLoss));
}

// Something that belongs to the connection may be made when that has just ended.
TEST(EndpointEndTest, WhoAsksAfterTheEndIsToldAtOnce) {
  LinkPair link(kRing);
  const auto core = std::make_shared<EndpointCore>(
      std::move(link.server), WaitTerms{}, grpc_event_engine::experimental::GetDefaultEventEngine(),
      /*trust_peer=*/true);
  std::vector<std::string> told;
  const auto tell = [&](const absl::Status& why) { told.emplace_back(why.message()); };
  core->OnEnd(tell);
  core->End(absl::DataLossError("first"));
  core->End(absl::UnavailableError("second"));
  core->OnEnd(tell);
  EXPECT_THAT(told, ElementsAre("first", "first"));
}

TEST(EndpointHostilePeerTest, ReadAndWriteThatFailAtOnceStillCallBack) {
  Victim victim;
  *victim.link.client_look().head = kImpossible;
  PendingBoth pending(*victim.endpoint);
  pending.ExpectBothFail(absl::StatusCode::kDataLoss);
}

// The peer may put more bytes into the socket than one Drain() takes, and die.
TEST(EndpointHostilePeerTest, TheEndBehindAFloodIsFound) {
  for (int round = 0; round < 100; ++round) {
    Victim victim;
    PendingBoth pending(*victim.endpoint);
    while (victim.SendByte()) {
    }
    victim.link.client.reset();
    pending.ExpectBothFail(absl::StatusCode::kUnavailable);
  }
}

TEST(EndpointHostilePeerTest, AFloodDoesNotStarveOthers) {
  Victim victims[2];  // one on each poller
  SliceBuffer in[2];
  std::atomic<bool> stop{false};
  std::thread flooder([&] {
    while (!stop.load(std::memory_order_relaxed)) {
      for (Victim& victim : victims) {
        victim.SendByte();
        victim.link.client_look().head->fetch_xor(1, std::memory_order_relaxed);
      }
    }
  });
  for (const int i : {0, 1}) victims[i].endpoint->Read([](const absl::Status&) {}, &in[i], {});
  EndpointPair bystanders(kRing);
  for (int i = 0; i < 200; ++i) {
    ASSERT_THAT(WriteAll(*bystanders.client, "ping"), IsOk());
    ASSERT_THAT(ReadExactly(*bystanders.server, 4), IsOkAndHolds("ping"));
    ASSERT_THAT(WriteAll(*bystanders.server, "pong"), IsOk());
    ASSERT_THAT(ReadExactly(*bystanders.client, 4), IsOkAndHolds("pong"));
  }
  stop = true;
  flooder.join();
}

}  // namespace
}  // namespace grpc_cxl::internal
