// SPDX-License-Identifier: Apache-2.0

// Clients that are stopped for many leases, and what of it reaches others: no byte. A thousand
// rounds: --test_env=GRPC_CXL_STOP_ROUNDS=1000.

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>

#include "absl/log/check.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/region/membership.h"
#include "grpc_cxl/region/region_node.h"
#include "grpc_cxl/ring/ring_writer.h"
#include "test/region/region_children.h"
#include "test/support/eventually.h"
#include "test/support/forked_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

constexpr absl::Duration kLease = absl::Milliseconds(100);
const absl::Duration kStopped = 15 * kLease;

int Rounds() {
  int rounds = 1;
  if (const char* text = getenv("GRPC_CXL_STOP_ROUNDS")) CHECK(absl::SimpleAtoi(text, &rounds));
  return rounds;
}

bool AllAre(const RegionOffer& offer, char byte) {
  const char* const bytes = offer.arena->data();
  return std::all_of(bytes, bytes + kArenaBytes, [byte](char is) { return is == byte; });
}

class RegionStopTest : public ::testing::Test {
 protected:
  RegionStopTest() {
    CHECK_OK(FormatRegion(path_, {.hosts = 3, .bytes = 2 << 20, .lease = kLease}));
    observer_ = *Region::Open({.path = path_, .host = Region::kObserver});
    PCHECK(pipe(stop_) == 0);
    server_ = std::make_unique<ForkedChild>([this] {
      close(stop_[1]);
      return absl::StrCat(ServeRegion(path_, "a", stop_[0]));
    });
  }
  ~RegionStopTest() override {
    close(stop_[1]);
    EXPECT_EQ(server_->Join(), "0");
    close(stop_[0]);
  }
  // What host 0 has given to connections.
  int Connections() {
    int count = 0;
    for (uint32_t i = 0; i < kHostAnswers; ++i) count += ReadAnswer(*observer_, 0, i).has_value();
    return count;
  }
  static void AwaitStop(pid_t pid) {
    int status;
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status)) << status;
  }
  static void Continue(pid_t pid) { PCHECK(kill(pid, SIGCONT) == 0); }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_.path() + "/region";
  std::shared_ptr<Region> observer_;
  int stop_[2];
  std::unique_ptr<ForkedChild> server_;
};

// While connections come and go in all other memory.
TEST_F(RegionStopTest, AStoppedClientKeepsItsMemory) {
  int rounds = 0, connections = 0;
  for (; rounds < Rounds() && !HasFailure(); ++rounds) {
    ForkedChild writer([&] {
      const auto node = JoinRegion(path_, 1);
      RegionOffer offer = ConnectTo(*node, "a");
      // Byte by byte, so that the stop comes in the middle.
      volatile char* const bytes = offer.arena->data();
      while (!offer.connection->PeerGone()) {
        for (size_t i = 0; i < kArenaBytes; ++i) bytes[i] = 'w';
      }
      return std::string("ended");
    });
    ASSERT_TRUE(Eventually([&] { return Connections() == 1; }));
    absl::SleepFor(kLease / 2);
    ASSERT_EQ(kill(writer.pid(), SIGSTOP), 0);
    AwaitStop(writer.pid());
    ForkedChild others([&] {
      const auto node = JoinRegion(path_, 2);
      int connections = 0;
      for (const absl::Time start = absl::Now(); absl::Now() - start < 1.5 * kStopped;) {
        RegionOffer offer = ConnectTo(*node, "a");
        if (!AllAre(offer, 0)) return std::string("not zeroed");
        std::fill_n(offer.arena->data(), kArenaBytes, 'x');
        for (int i = 0; i < 20; ++i) {
          absl::SleepFor(absl::Milliseconds(1));
          if (!AllAre(offer, 'x')) return std::string("a foreign byte");
        }
        offer.arena.reset();
        ++connections;
      }
      return absl::StrCat(connections);
    });
    absl::SleepFor(kStopped);
    Continue(writer.pid());
    EXPECT_EQ(writer.Join(), "ended");
    const std::string told = others.Join();
    int made = 0;
    EXPECT_TRUE(absl::SimpleAtoi(told, &made) && made >= 4) << told;
    connections += made;
    EXPECT_TRUE(Eventually([&] { return Connections() == 0; }));
  }
  std::cout << rounds << " rounds, " << connections << " connections beside a stopped client"
            << std::endl;
}

// Its lock is not seen, as on another node of a device: the next process of its host takes it for
// dead, and its memory is given away while it is about to publish.
TEST_F(RegionStopTest, AClientWhoseMemoryWasGivenAwayStoresNothing) {
  int rounds = 0;
  for (; rounds < Rounds() && !HasFailure(); ++rounds) {
    ForkedChild writer([&] {
      const auto node = JoinRegion(path_, 1);
      RegionOffer offer = ConnectTo(*node, "a");
      auto& mine = *reinterpret_cast<RingWriterWords*>(offer.arena->data());
      const auto& peer = *reinterpret_cast<RingReaderWords*>(offer.arena->data() + kPageBytes);
      const absl::Span<char> memory(offer.arena->data(), kArenaBytes);
      const auto far = FarMemory::Create({}, memory, offer.connection->fence());
      RingWriter ring(&mine, &peer, memory.subspan(2 * kPageBytes, kPageBytes),
                      SharedView(far.get()));
      CHECK_EQ(ring.Write("hello").value(), 6);
      node->region().UnlockProcess(0);
      raise(SIGSTOP);
      ring.Publish();
      ring.WantSpace(1);
      return absl::StrCat(ring.Free().status().message());
    });
    AwaitStop(writer.pid());
    ForkedChild heir([&] {
      JoinRegion(path_, 1);
      return std::string("cleared up");
    });
    EXPECT_EQ(heir.Join(), "cleared up");
    EXPECT_TRUE(Eventually([&] { return Connections() == 0; }));
    ForkedChild next([&] {
      const auto node = JoinRegion(path_, 2);
      RegionOffer offer = ConnectTo(*node, "a");
      std::fill_n(offer.arena->data(), kArenaBytes, 'x');
      raise(SIGSTOP);
      return std::string(AllAre(offer, 'x') ? "all its own" : "a foreign byte");
    });
    AwaitStop(next.pid());
    Continue(writer.pid());
    EXPECT_EQ(writer.Join(), NoLongerOurs().message());
    Continue(next.pid());
    EXPECT_EQ(next.Join(), "all its own");
    EXPECT_TRUE(Eventually([&] { return Connections() == 0; }));
  }
  std::cout << rounds << " rounds of memory that was given away" << std::endl;
}

}  // namespace
}  // namespace grpc_cxl::internal
