// Proves that a hostile peer gets no more than its own connection ended: impossible
// positions fail the pending read and the pending write with DATA_LOSS; words of ours that
// it overwrites do not keep our polling thread spinning; a flood of wake-up bytes neither
// hides its end nor starves other connections.

#include <errno.h>
#include <sys/socket.h>
#include <time.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "test/endpoint/endpoint_pair.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;

constexpr size_t kRing = 4 << 10;

// An endpoint whose peer is this test, with a link in its hands.
struct Victim {
  Victim() : link(kRing), endpoint(MakeEndpoint(std::move(link.server))) {
    Append(out, std::string(2 * kRing, 'x'));
  }
  void StartBoth() {
    ASSERT_FALSE(endpoint->Read(read.Callback(), &in, {}));
    ASSERT_FALSE(endpoint->Write(written.Callback(), &out, {}));
  }
  void RingIt() {
    for (;;) {
      if (send(link.client->socket(), "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1) return;
      ASSERT_EQ(errno, EAGAIN);
    }
  }

  LinkPair link;
  SliceBuffer in, out;
  Outcome read, written;
  std::unique_ptr<EventEngine::Endpoint> endpoint;  // destroyed before the buffers
};

double ProcessCpuSeconds() {
  timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return used.tv_sec + used.tv_nsec * 1e-9;
}

TEST(EndpointHostilePeerTest, AnImpossibleHeadFailsBoth) {
  Victim victim;
  victim.StartBoth();
  victim.link.client_words().tx.head = 12345678901234;
  victim.RingIt();
  EXPECT_THAT(victim.read.Wait(), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(victim.written.Wait(), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_FALSE(ReadOnce(*victim.endpoint).ok());
}

TEST(EndpointHostilePeerTest, AnImpossibleTailFailsBoth) {
  Victim victim;
  victim.StartBoth();
  victim.link.client_words().rx.tail = 12345678901234;
  victim.RingIt();
  EXPECT_THAT(victim.written.Wait(), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(victim.read.Wait(), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(EndpointHostilePeerTest, ReadAndWriteThatFailAtOnceStillCallBack) {
  Victim victim;
  victim.link.client_words().tx.head = 12345678901234;
  EXPECT_FALSE(victim.endpoint->Read(victim.read.Callback(), &victim.in, {}));
  EXPECT_THAT(victim.read.Wait(), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_FALSE(victim.endpoint->Write(victim.written.Callback(), &victim.out, {}));
  EXPECT_THAT(victim.written.Wait(), StatusIs(absl::StatusCode::kDataLoss));
}

// The words that say how far we have read and how much space we want are ours, but the peer
// can write them. With nothing to do for us, a polling thread has to fall asleep again.
TEST(EndpointHostilePeerTest, OverwrittenWordsOfOursDoNotSpinThePoller) {
  Victim victim;
  victim.StartBoth();
  LinkSideWords& ours = victim.link.server_words();
  ours.rx.tail = 77;
  ours.tx.want_space = 0;
  victim.RingIt();  // wakes the poller, so that it looks at them
  absl::SleepFor(absl::Milliseconds(100));
  const double before = ProcessCpuSeconds();
  absl::SleepFor(absl::Milliseconds(500));
  EXPECT_LT(ProcessCpuSeconds() - before, 0.25) << "something spins";
  EXPECT_EQ(victim.read.calls(), 0);
}

TEST(EndpointHostilePeerTest, TheEndBehindAFloodIsFound) {
  for (int round = 0; round < 100; ++round) {
    Victim victim;
    victim.StartBoth();
    while (send(victim.link.client->socket(), "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1) {
    }
    victim.link.client.reset();
    EXPECT_THAT(victim.read.Wait(), StatusIs(absl::StatusCode::kUnavailable));
    EXPECT_THAT(victim.written.Wait(), StatusIs(absl::StatusCode::kUnavailable));
  }
}

TEST(EndpointHostilePeerTest, AFloodDoesNotStarveOthers) {
  Victim victims[2];  // one on each poller
  std::atomic<bool> stop{false};
  std::thread flooder([&] {
    while (!stop.load(std::memory_order_relaxed)) {
      for (Victim& victim : victims) {
        send(victim.link.client->socket(), "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        victim.link.client_words().tx.head.fetch_xor(1, std::memory_order_relaxed);
      }
    }
  });
  for (Victim& victim : victims) victim.StartBoth();
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
