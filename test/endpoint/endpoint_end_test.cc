// Proves how a connection ends, from the endpoint's side: destroyed with a read and a write
// pending, destroyed inside a callback, both ends at once; closed by the peer after its last
// bytes; killed. Pending callbacks come exactly once, with an error, never from inside the
// destructor; what the peer had published comes before the end; and a write that waits for a
// dead peer fails at once together with the read, because gRPC cannot close a transport
// whose write hangs.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "grpc_cxl/link/record_layout.h"
#include "grpc_cxl/link/record_writer.h"
#include "gtest/gtest.h"
#include "test/endpoint/endpoint_pair.h"
#include "test/link/random_link_end.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;

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
    ASSERT_THAT(pending.read.Wait(), StatusIs(absl::StatusCode::kCancelled));
    ASSERT_THAT(pending.written.Wait(), StatusIs(absl::StatusCode::kCancelled));
    EXPECT_EQ(pending.read.calls(), 1);
    EXPECT_EQ(pending.written.calls(), 1);
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
    ASSERT_FALSE(pair.server->Read(read.Callback([&] {
      pair.server.reset();
      if (other_end_too) pair.client.reset();
    }),
                                   &in, {}));
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
    ASSERT_THAT(WriteAll(*pair.client, std::string(bytes, 'z')), IsOk());
    pair.client.reset();
    std::string text;
    EXPECT_THAT(ReadToTheEnd(*pair.server, &text),
                StatusIs(absl::StatusCode::kUnavailable, HasSubstr("cxl peer closed")));
    EXPECT_EQ(text, std::string(bytes, 'z'));
    EXPECT_FALSE(ReadOnce(*pair.server).ok()) << "and stays at an end";
    // Like the socket of a peer that is gone: it takes what fits, for nobody, and no more.
    EXPECT_THAT(WriteAll(*pair.server, "too late"), IsOk());
    EXPECT_FALSE(WriteAll(*pair.server, std::string(kFits, 'z')).ok());
  }
}

TEST(EndpointEndTest, APeerThatClosesFailsBothPending) {
  EndpointPair pair(kRing);
  PendingBoth pending(*pair.server);
  pair.client.reset();
  EXPECT_THAT(pending.read.Wait(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(pending.written.Wait(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(pending.read.calls(), 1);
  EXPECT_EQ(pending.written.calls(), 1);
}

// In the callback of the read, gRPC may wait for the write's: a callback that blocks must
// not keep the other from coming.
TEST(EndpointEndTest, TheWritesCallbackDoesNotWaitForTheReads) {
  EndpointPair pair(kRing);
  absl::Notification written;
  PendingBoth pending(
      *pair.server, [&] { EXPECT_TRUE(written.WaitForNotificationWithTimeout(absl::Minutes(1))); },
      [&] { written.Notify(); });
  pair.client.reset();
  EXPECT_FALSE(pending.written.Wait().ok());
  EXPECT_FALSE(pending.read.Wait().ok());
}

// The child knows only the link: after a fork from a process with threads nothing else is
// safe. It publishes a number of bytes by which it can be recognised, and is killed.
TEST(EndpointEndTest, APeerThatIsKilledFailsBothPending) {
  std::chrono::nanoseconds longest{0};
  for (int round = 0; round < 50; ++round) {
    LinkPair link(kRing);
    const pid_t child = fork();
    PCHECK(child >= 0);
    if (child == 0) {
      link.server.reset();
      char bytes[1000];
      for (size_t i = 0; i < sizeof(bytes); ++i) bytes[i] = ByteAt(i);
      RecordWriter records(link.client.get());
      if (round > 0) {
        records.Begin(round);
        records.Append(absl::MakeConstSpan(bytes, round));
      }
      link.client->Publish();
      for (;;) pause();
    }
    link.client.reset();
    const auto endpoint = MakeEndpoint(std::move(link.server));
    const absl::StatusOr<std::string> text = ReadExactly(*endpoint, round);
    ASSERT_THAT(text, IsOk());
    for (int i = 0; i < round; ++i) ASSERT_EQ((*text)[i], ByteAt(i));
    PendingBoth pending(*endpoint);
    const auto start = Clock::now();
    PCHECK(kill(child, SIGKILL) == 0);
    ASSERT_THAT(pending.written.Wait(), StatusIs(absl::StatusCode::kUnavailable));
    ASSERT_THAT(pending.read.Wait(), StatusIs(absl::StatusCode::kUnavailable));
    longest = std::max(longest, std::chrono::nanoseconds(Clock::now() - start));
    PCHECK(waitpid(child, nullptr, 0) == child);
  }
  printf("  from the kill to both callbacks: at most %.1f ms\n", longest.count() / 1e6);
  EXPECT_LT(longest, std::chrono::seconds(10));
}

}  // namespace
}  // namespace grpc_cxl::internal
