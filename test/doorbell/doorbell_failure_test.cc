// Proves what happens when the kernel fails to send a wake-up byte: an interrupted call is
// made again, and where the byte cannot be had the line is closed, so that both sides see
// the connection end instead of one sleeping for ever.

#include <errno.h>
#include <sys/socket.h>

#include "grpc_cxl/doorbell/doorbell.h"
#include "gtest/gtest.h"
#include "test/support/socket_pair.h"

namespace {

int g_failures = 0;  // how many of the next calls of send() fail
int g_error = 0;     // and how

}  // namespace

// Stands in front of the C library's.
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

class DoorbellFailureTest : public ::testing::Test {
 protected:
  ~DoorbellFailureTest() override { g_failures = 0; }

  SocketPair line_{SOCK_SEQPACKET};
  DoorbellWords words_{}, their_words_{};
  DoorbellSleeper sleeper_{&words_, line_.ours.get()};
  DoorbellSleeper their_sleeper_{&their_words_, line_.theirs.get()};
  DoorbellWaker waker_{&words_, line_.theirs.get()};
};

TEST_F(DoorbellFailureTest, AnInterruptedSendIsMadeAgain) {
  g_failures = 3;
  g_error = EINTR;
  sleeper_.PrepareToSleep();
  EXPECT_TRUE(waker_.Wake());
  EXPECT_EQ(g_failures, 0);
  EXPECT_EQ(sleeper_.Drain(), Line::kOpen);
}

TEST_F(DoorbellFailureTest, WithoutMemoryForAByteTheLineEndsOnBothSides) {
  for (int error : {ENOMEM, ENOBUFS}) {
    g_failures = 1;
    g_error = error;
    sleeper_.PrepareToSleep();
    EXPECT_FALSE(waker_.Wake());
    EXPECT_EQ(g_failures, 0);
    EXPECT_EQ(sleeper_.Drain(), Line::kPeerGone);
    EXPECT_EQ(their_sleeper_.Drain(), Line::kPeerGone);
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
