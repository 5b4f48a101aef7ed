// Proves the contract of DoorbellSleeper and DoorbellWaker step by step: who is rung and
// who is not, one byte a nap, and what a closed, full or flooded line does. That no wake-up
// is lost under load is proved by doorbell_stress_test.

#include "grpc_cxl/doorbell/doorbell.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "test/coherence/test_view.h"
#include "test/support/socket_pair.h"

namespace grpc_cxl::internal {
namespace {

using Line = DoorbellSleeper::Line;

bool IsReadable(int fd) {
  pollfd look = {.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&look, 1, 0) == 1;
}

// Sends single bytes until no more go in; returns how many went.
int Fill(int fd) {
  int sent = 0;
  while (send(fd, "", 1, MSG_DONTWAIT) == 1) ++sent;
  return sent;
}

// Both kinds of sockets that can be a connection's line.
class DoorbellTest : public ::testing::TestWithParam<int> {
 protected:
  SocketPair line_{GetParam()};
  DoorbellWords words_{};
  TestView sleeping_{&words_}, ringing_{&words_};
  DoorbellSleeper sleeper_{sleeping_.At(&words_), line_.ours.get(), sleeping_.view()};
  DoorbellWaker waker_{ringing_.At(&words_), line_.theirs.get(), ringing_.view()};
};

INSTANTIATE_TEST_SUITE_P(Sockets, DoorbellTest, ::testing::Values(SOCK_SEQPACKET, SOCK_STREAM),
                         [](const ::testing::TestParamInfo<int>& info) {
                           return info.param == SOCK_STREAM ? "stream" : "seqpacket";
                         });

TEST_P(DoorbellTest, WhoIsAwakeIsNotRung) {
  EXPECT_FALSE(sleeper_.asleep());
  EXPECT_FALSE(waker_.Wake());
  EXPECT_FALSE(IsReadable(line_.ours.get()));
  EXPECT_EQ(sleeper_.Drain(), Line::kOpen);
}

TEST_P(DoorbellTest, WhoSleepsIsRungOnce) {
  sleeper_.PrepareToSleep();
  EXPECT_TRUE(sleeper_.asleep());
  EXPECT_TRUE(waker_.Wake());
  EXPECT_FALSE(waker_.Wake());
  EXPECT_FALSE(waker_.WakeAfterFence());
  char bytes[8];
  EXPECT_EQ(recv(line_.ours.get(), bytes, sizeof(bytes), MSG_DONTWAIT), 1);
  EXPECT_FALSE(IsReadable(line_.ours.get()));
}

TEST_P(DoorbellTest, EveryNapIsRungAnew) {
  for (int nap = 0; nap < 1000; ++nap) {
    sleeper_.PrepareToSleep();
    ASSERT_TRUE(waker_.Wake());
    ASSERT_EQ(sleeper_.Drain(), Line::kOpen);
    sleeper_.Awake();
    ASSERT_FALSE(waker_.Wake());
  }
}

TEST_P(DoorbellTest, PreparingTwiceBeginsANewNap) {
  sleeper_.PrepareToSleep();
  EXPECT_TRUE(waker_.Wake());
  EXPECT_EQ(sleeper_.Drain(), Line::kOpen);
  sleeper_.PrepareToSleep();
  EXPECT_TRUE(sleeper_.asleep());
  EXPECT_TRUE(waker_.Wake()) << "the byte of the first nap is gone; this nap needs its own";
}

TEST_P(DoorbellTest, AwakeEndsTheNapOnce) {
  sleeper_.PrepareToSleep();
  const uint64_t asleep = words_.epoch.load();
  EXPECT_EQ(asleep % 2, 1);
  sleeper_.Awake();
  EXPECT_FALSE(sleeper_.asleep());
  EXPECT_EQ(words_.epoch.load(), asleep + 1);
  sleeper_.Awake();
  EXPECT_EQ(words_.epoch.load(), asleep + 1);
}

TEST_P(DoorbellTest, ASecondSleeperNeverReusesANumber) {
  sleeper_.PrepareToSleep();
  EXPECT_TRUE(waker_.Wake());
  DoorbellSleeper next(sleeping_.At(&words_), line_.ours.get(), sleeping_.view());
  EXPECT_TRUE(next.asleep());
  next.PrepareToSleep();
  EXPECT_TRUE(waker_.Wake());
}

TEST_P(DoorbellTest, DrainTakesEveryByte) {
  for (int nap = 0; nap < 100; ++nap) {
    sleeper_.PrepareToSleep();
    ASSERT_TRUE(waker_.Wake());
    sleeper_.Awake();  // found something at the last look: the byte stays on the line
  }
  EXPECT_EQ(sleeper_.Drain(), Line::kOpen);
  EXPECT_FALSE(IsReadable(line_.ours.get()));
}

TEST_P(DoorbellTest, AClosedLineIsSeen) {
  sleeper_.PrepareToSleep();
  EXPECT_TRUE(waker_.Wake());
  line_.theirs.Reset();
  EXPECT_EQ(sleeper_.Drain(), Line::kPeerGone);
  EXPECT_EQ(sleeper_.Drain(), Line::kPeerGone);
}

TEST_P(DoorbellTest, AClosedLineWithOurBytesUnreadIsSeen) {
  EXPECT_EQ(send(line_.ours.get(), "", 1, 0), 1);
  line_.theirs.Reset();  // the kernel answers with a reset instead of an end-of-file
  EXPECT_EQ(sleeper_.Drain(), Line::kPeerGone);
}

TEST_P(DoorbellTest, RingingTheDeadIsNoError) {
  sleeper_.PrepareToSleep();
  line_.ours.Reset();
  EXPECT_FALSE(waker_.Wake());  // and no SIGPIPE
}

TEST_P(DoorbellTest, RingingNeverBlocks) {
  EXPECT_GT(Fill(line_.theirs.get()), 0);
  sleeper_.PrepareToSleep();
  EXPECT_FALSE(waker_.Wake());  // though the socket is a blocking one
  EXPECT_TRUE(IsReadable(line_.ours.get())) << "whoever finds no byte here must not sleep";
}

TEST_P(DoorbellTest, TheEndBehindAFloodIsSeen) {
  const int sent = Fill(line_.theirs.get());
  line_.theirs.Reset();
  Line line = sleeper_.Drain();
  for (int more = 0; more < sent && line == Line::kFlooded; ++more) line = sleeper_.Drain();
  EXPECT_EQ(line, Line::kPeerGone);
}

TEST_P(DoorbellTest, AFloodEndsDrainButNotTheLine) {
  // One thread sends as fast as it can; Drain() comes back all the same.
  std::atomic<bool> stop = false;
  std::thread flood([&] {
    while (!stop) send(line_.theirs.get(), "flood", 5, MSG_DONTWAIT | MSG_NOSIGNAL);
  });
  for (int i = 0; i < 100; ++i) EXPECT_NE(sleeper_.Drain(), Line::kPeerGone);
  stop = true;
  flood.join();
}

TEST_P(DoorbellTest, ManyRingersSendOneByteANap) {
  constexpr int kNaps = 2000;
  constexpr int kRingers = 3;
  std::atomic<int> sent = 0;
  std::atomic<bool> stop = false;
  std::vector<std::thread> ringers;
  for (int i = 0; i < kRingers; ++i) {
    ringers.emplace_back([&] {
      while (!stop) sent += waker_.Wake();
    });
  }
  int woken = 0;
  for (int nap = 0; nap < kNaps; ++nap) {
    sleeper_.PrepareToSleep();
    pollfd wait = {.fd = line_.ours.get(), .events = POLLIN, .revents = 0};
    woken += poll(&wait, 1, 10'000);
    sleeper_.Awake();
    EXPECT_EQ(sleeper_.Drain(), Line::kOpen);
  }
  stop = true;
  for (std::thread& waker : ringers) waker.join();
  EXPECT_EQ(woken, kNaps) << "every nap was rung";
  // A waker that comes late to one nap may send a byte too many, and make another send the
  // next nap's byte twice.
  EXPECT_GE(sent, kNaps);
  EXPECT_LE(sent, kNaps * kRingers);
}

}  // namespace
}  // namespace grpc_cxl::internal
