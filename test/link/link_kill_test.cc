// Proves what is left when the peer is killed (SIGKILL) at a random moment, in both roles,
// hundreds of times, while both sides write, read, wait for space and sleep: exactly what it
// had published can be read, every byte right; then comes the end, once the socket is
// drained; writing on harms nobody. No step of a link leaves anything to repair.

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <string>

#include "absl/log/check.h"
#include "absl/status/status_matchers.h"
#include "gtest/gtest.h"
#include "test/link/link_pair.h"
#include "test/link/random_link_end.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using Clock = std::chrono::steady_clock;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kRounds = 60;
#else
constexpr int kRounds = 400;
#endif

// Writes and reads the stream of ByteAt() both ways, as fast as it goes, in small and large
// pieces. Whether it waits for a ring or looks again is random.
class Talker {
 public:
  Talker(Link& link, uint32_t seed) : link_(link), random_(seed) {}

  // One round of work; false when the peer is gone and all it left has been read.
  bool Turn() {
    Write();
    const bool read = Read();
    if (read || random_() % 4 != 0) return true;
    link_.PrepareToSleep();
    bool gone = false;
    if (!link_.MaybeReadable() && !link_.MaybeWritable()) {
      pollfd wait{link_.socket(), POLLIN, 0};
      PCHECK(poll(&wait, 1, 60'000) != 0 || errno == EINTR) << "nobody rings, nobody dies";
    }
    gone = link_.Drain() == DoorbellSleeper::Line::kPeerGone;
    link_.Awake();
    if (!gone) return true;
    while (Read()) {
    }
    Write();
    return false;
  }

  uint64_t received() const { return received_; }
  bool all_right() const { return all_right_; }

 private:
  void Write() {
    char piece[6000];
    const size_t bytes = random_() % 8 == 0 ? random_() % sizeof(piece) : random_() % 64;
    for (size_t i = 0; i < bytes; ++i) piece[i] = ByteAt(sent_ + i);
    const absl::StatusOr<size_t> written = link_.Write(absl::MakeConstSpan(piece, bytes));
    CHECK_OK(written);
    sent_ += *written;
    link_.Publish();
    if (*written < bytes) {
      link_.WantSpace();
    } else {
      link_.ClearWantSpace();
    }
  }

  bool Read() {
    const absl::StatusOr<size_t> readable = link_.Readable();
    CHECK_OK(readable);
    absl::Span<const char> front = link_.Front();
    if (random_() % 2 == 0) front = front.first(std::min<size_t>(front.size(), 100));
    for (const char byte : front) all_right_ &= byte == ByteAt(received_++);
    link_.Consume(front.size());
    return !front.empty();
  }

  Link& link_;
  std::minstd_rand random_;
  uint64_t sent_ = 0, received_ = 0;
  bool all_right_ = true;
};

class LinkKillTest : public ::testing::TestWithParam<Link::Side> {};

TEST_P(LinkKillTest, WhatWasPublishedIsReadThenTheEnd) {
  const bool server_dies = GetParam() == Link::Side::kServer;
  std::minstd_rand random(11);
  uint64_t total = 0;
  for (int round = 0; round < kRounds; ++round) {
    LinkPair pair(4 << 10);
    const pid_t child = fork();
    PCHECK(child >= 0);
    if (child == 0) {
      (server_dies ? pair.client : pair.server).reset();
      Talker talker(server_dies ? *pair.server : *pair.client, round);
      while (talker.Turn() && talker.all_right()) {
      }
      _exit(talker.all_right() ? 0 : 1);
    }
    (server_dies ? pair.server : pair.client).reset();
    const auto death = Clock::now() + std::chrono::microseconds(random() % 3000);
    Talker talker(server_dies ? *pair.client : *pair.server, 1000 + round);
    bool killed = false;
    while (talker.Turn()) {
      if (killed || Clock::now() < death) continue;
      PCHECK(kill(child, SIGKILL) == 0);
      killed = true;
    }
    int status;
    PCHECK(waitpid(child, &status, 0) == child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself: a byte was wrong, or we seemed dead";
    const LinkSideWords& dead = server_dies ? pair.server_words() : pair.client_words();
    ASSERT_EQ(talker.received(), dead.tx.head.load()) << "round " << round << pair.State();
    ASSERT_TRUE(talker.all_right()) << "round " << round;
    total += talker.received();
  }
  printf("  %d kills, %.1f MiB read\n", kRounds, total / 1048576.0);
  EXPECT_GT(total, 0);
}

INSTANTIATE_TEST_SUITE_P(Sides, LinkKillTest,
                         ::testing::Values(Link::Side::kServer, Link::Side::kClient),
                         [](const ::testing::TestParamInfo<Link::Side>& info) {
                           return info.param == Link::Side::kServer ? "server" : "client";
                         });

}  // namespace
}  // namespace grpc_cxl::internal
