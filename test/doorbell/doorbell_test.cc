// SPDX-License-Identifier: Apache-2.0
// Proves the contract of DoorbellSleeper and DoorbellWaker step by step: who is woken and
// who is not, one byte a nap, and what a closed, full or failing line does (a flooded line:
// endpoint_end_test). That no wake-up is lost under load is proved by link_stress_test.

#include "grpc_cxl/doorbell/doorbell.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "grpc_cxl/base/foreign_fd.h"
#include "grpc_cxl/base/steady_clock.h"
#include "gtest/gtest.h"
#include "test/coherence/test_view.h"
#include "test/rendezvous/raw_peer.h"
#include "test/support/lingering_socket.h"
#include "test/support/socket_pair.h"

namespace {

std::atomic<int> g_failures = 0;  // how many of the next calls of send() fail
int g_error = 0;                  // and how
int g_reads = 0;                  // calls of recv() and recvmmsg()

}  // namespace

// These stand in front of the C library's.
extern "C" ssize_t recv(int fd, void* data, size_t size, int flags) {
  ++g_reads;
  return recvfrom(fd, data, size, flags, nullptr, nullptr);
}
extern "C" int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  ++g_reads;
  return static_cast<int>(syscall(SYS_recvmmsg, fd, messages, count, flags, timeout));
}
extern "C" ssize_t send(int fd, const void* data, size_t size, int flags) {
  if (g_failures > 0) {
    --g_failures;
    errno = g_error;
    return -1;
  }
  return sendto(fd, data, size, flags, nullptr, 0);
}

namespace grpc_cxl::internal {
namespace {

using Line = DoorbellSleeper::Line;

// Sends single bytes until no more go in; returns how many went.
int Fill(int fd) {
  int sent = 0;
  while (send(fd, "", 1, MSG_DONTWAIT) == 1) ++sent;
  return sent;
}

class DoorbellTest : public ::testing::Test {
 protected:
  bool IsReadable() {
    pollfd look = {.fd = line_.ours.get(), .events = POLLIN, .revents = 0};
    return poll(&look, 1, 0) == 1;
  }

  SocketPair line_{SOCK_SEQPACKET};
  struct Sides {
    DoorbellWords sleeper, waker;
  } words_{};
  TestView sleeping_{&words_}, waking_{&words_};
  DoorbellSleeper sleeper_{&sleeping_.At(&words_)->sleeper, line_.ours.get(), sleeping_.view()};
  DoorbellWaker waker_{&waking_.At(&words_)->sleeper, &waking_.At(&words_)->waker,
                       line_.theirs.get(), waking_.view()};
};

TEST_F(DoorbellTest, AnAwakePeerIsSentNoByte) {
  EXPECT_FALSE(sleeper_.asleep());
  EXPECT_FALSE(waker_.Wake());
  EXPECT_FALSE(IsReadable());
  EXPECT_EQ(sleeper_.Drain(), Line::kOpen);
}

TEST_F(DoorbellTest, AWakeUpCarriesItsTime) {
  const auto woke_at = [&] {
    return static_cast<int64_t>(
        sleeping_.view().Load(sleeping_.At(&words_)->waker.woke_at, std::memory_order_relaxed));
  };
  EXPECT_FALSE(waker_.Wake());
  EXPECT_EQ(woke_at(), 0) << "no system call, no time";
  const int64_t before = SteadyNs();
  sleeper_.PrepareToSleep();
  EXPECT_TRUE(waker_.Wake());
  const int64_t first = woke_at();
  EXPECT_GE(first, before);
  EXPECT_LE(first, SteadyNs());
  EXPECT_FALSE(waker_.Wake());
  EXPECT_EQ(woke_at(), first);
}

TEST_F(DoorbellTest, ASleeperIsSentOneByte) {
  sleeper_.PrepareToSleep();
  EXPECT_TRUE(sleeper_.asleep());
  EXPECT_TRUE(waker_.Wake());
  EXPECT_FALSE(waker_.Wake());
  EXPECT_FALSE(waker_.WakeAfterFence());
  char bytes[8];
  EXPECT_EQ(recv(line_.ours.get(), bytes, sizeof(bytes), MSG_DONTWAIT), 1);
  EXPECT_FALSE(IsReadable());
}

TEST_F(DoorbellTest, EveryNapIsEndedAnew) {
  for (int nap = 0; nap < 1000; ++nap) {
    sleeper_.PrepareToSleep();
    ASSERT_TRUE(waker_.Wake());
    ASSERT_EQ(sleeper_.Drain(), Line::kOpen);
    if (nap % 2 == 0) continue;  // preparing while asleep begins a new nap, too
    sleeper_.Awake();
    ASSERT_FALSE(waker_.Wake());
  }
}

TEST_F(DoorbellTest, AwakeEndsTheNapOnce) {
  sleeper_.PrepareToSleep();
  const uint64_t asleep = words_.sleeper.epoch.load();
  EXPECT_EQ(asleep % 2, 1);
  for (int i = 0; i < 2; ++i) {
    sleeper_.Awake();
    EXPECT_FALSE(sleeper_.asleep());
    EXPECT_EQ(words_.sleeper.epoch.load(), asleep + 1);
  }
}

TEST_F(DoorbellTest, ASecondSleeperNeverReusesANumber) {
  sleeper_.PrepareToSleep();
  EXPECT_TRUE(waker_.Wake());
  DoorbellSleeper next(&sleeping_.At(&words_)->sleeper, line_.ours.get(), sleeping_.view());
  EXPECT_TRUE(next.asleep());
  next.PrepareToSleep();
  EXPECT_TRUE(waker_.Wake());
}

TEST_F(DoorbellTest, DrainTakesEveryByte) {
  for (int nap = 0; nap < 100; ++nap) {
    sleeper_.PrepareToSleep();
    ASSERT_TRUE(waker_.Wake());
    sleeper_.Awake();  // found something at the last look: the byte stays on the line
  }
  EXPECT_EQ(sleeper_.Drain(), Line::kOpen);
  EXPECT_FALSE(IsReadable());
}

// Where the peer cannot send files, as on each connection of a kernel that lets us say so.
TEST_F(DoorbellTest, OneReadTakesAByteAndSeesThatItWasTheLast) {
  PassDescriptors(line_.ours.get(), false);
  if (MayPassDescriptors(line_.ours.get())) GTEST_SKIP() << "needs Linux 6.16";
  DoorbellSleeper sleeper(&sleeping_.At(&words_)->sleeper, line_.ours.get(), sleeping_.view());
  sleeper.PrepareToSleep();
  EXPECT_TRUE(waker_.Wake());
  g_reads = 0;
  EXPECT_EQ(sleeper.Drain(), Line::kOpen);
  EXPECT_EQ(g_reads, 1);
  for (int bytes = 0; bytes < 100; ++bytes) {  // also behind as many as one read takes
    for (int i = 0; i < bytes; ++i) EXPECT_EQ(send(line_.theirs.get(), "", 1, 0), 1);
    EXPECT_EQ(sleeper.Drain(), Line::kOpen);
    EXPECT_FALSE(IsReadable());
  }
  for (int i = 0; i < 3; ++i) EXPECT_EQ(send(line_.theirs.get(), "", 1, 0), 1);
  line_.theirs.Reset();
  EXPECT_EQ(sleeper.Drain(), Line::kPeerGone);
}

TEST_F(DoorbellTest, AClosedLineIsSeen) {
  sleeper_.PrepareToSleep();
  EXPECT_TRUE(waker_.Wake());
  EXPECT_EQ(send(line_.ours.get(), "", 1, 0), 1);
  line_.theirs.Reset();  // with an unread byte: a reset instead of an end-of-file
  EXPECT_EQ(sleeper_.Drain(), Line::kPeerGone);
  EXPECT_EQ(sleeper_.Drain(), Line::kPeerGone);
}

// Only where the kernel lets the peer send files, as for these sockets.
TEST_F(DoorbellTest, FilesOnTheLineEndItAndAreNotReceived) {
  UniqueFd reader;
  {
    const UniqueFd lingering = LingeringSocket(&reader);
    SendRaw(line_.theirs.get(), "w", {lingering.get()});
  }
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(sleeper_.Drain(), Line::kPeerGone);
  CloseSocket(std::move(line_.ours));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST_F(DoorbellTest, WakingTheDeadIsNoError) {
  sleeper_.PrepareToSleep();
  line_.ours.Reset();
  EXPECT_FALSE(waker_.Wake());  // and no SIGPIPE
}

TEST_F(DoorbellTest, WakingNeverBlocks) {
  EXPECT_GT(Fill(line_.theirs.get()), 0);
  sleeper_.PrepareToSleep();
  EXPECT_FALSE(waker_.Wake());  // though the socket is a blocking one
  EXPECT_TRUE(IsReadable()) << "a sleeper without a byte of its own must not sleep";
}

TEST_F(DoorbellTest, AnInterruptedSendIsMadeAgain) {
  sleeper_.PrepareToSleep();
  g_error = EINTR;
  g_failures = 3;
  EXPECT_TRUE(waker_.Wake());
  EXPECT_EQ(g_failures, 0);
  EXPECT_EQ(sleeper_.Drain(), Line::kOpen);
}

// Else one side might sleep for ever.
TEST_F(DoorbellTest, WithoutMemoryForAByteTheLineEndsOnBothSides) {
  for (const int error : {ENOMEM, ENOBUFS}) {
    line_ = SocketPair(SOCK_SEQPACKET);
    DoorbellSleeper ours(&sleeping_.At(&words_)->sleeper, line_.ours.get(), sleeping_.view());
    DoorbellWaker waker(&waking_.At(&words_)->sleeper, &waking_.At(&words_)->waker,
                        line_.theirs.get(), waking_.view());
    ours.PrepareToSleep();
    g_error = error;
    g_failures = 1;
    EXPECT_FALSE(waker.Wake());
    EXPECT_EQ(g_failures, 0);
    EXPECT_EQ(ours.Drain(), Line::kPeerGone);
    DoorbellWords other_words{};
    EXPECT_EQ(DoorbellSleeper(&other_words, line_.theirs.get()).Drain(), Line::kPeerGone);
  }
}

TEST_F(DoorbellTest, ManyWakersSendOneByteANap) {
  constexpr int kNaps = 2000, kWakers = 3;
  std::atomic<int> sent = 0;
  std::atomic<bool> stop = false;
  std::vector<std::thread> wakers;
  for (int i = 0; i < kWakers; ++i) {
    wakers.emplace_back([&] {
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
  for (std::thread& waker : wakers) waker.join();
  EXPECT_EQ(woken, kNaps) << "every nap was ended";
  // A waker that comes late to one nap may send a byte too many, and make another send the
  // next nap's byte twice.
  EXPECT_GE(sent, kNaps);
  EXPECT_LE(sent, kNaps * kWakers);
}

}  // namespace
}  // namespace grpc_cxl::internal
