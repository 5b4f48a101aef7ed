// SPDX-License-Identifier: Apache-2.0
// Proves that a name has exactly one owner at any time and is never lost, whatever happens
// to the processes that want it: killed before or after any of their system calls, stopped
// there while another one takes or passes on the name, or killed at random in a race.
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "gtest/gtest.h"
#include "test/rendezvous/at.h"
#include "test/support/eventually.h"
#include "test/support/forked_child.h"
#include "test/support/process_state.h"
#include "test/support/stepped_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class NameOwnerTest : public ::testing::Test {
 protected:
  absl::StatusOr<NameListener> Listen() const { return NameListener::Listen(at_, name_); }

  // The process to which the name leads a client, 0 when nobody listens.
  pid_t LeadsTo() const {
    auto socket = Dial(at_, name_);
    return socket.ok() ? IdentifyPeer(socket->get())->pid : 0;
  }

  const TemporaryDirectory directory_;
  const RendezvousDirectory at_ = At(directory_.path());
  const ServiceName name_ = *ServiceName::Parse("payments");
};

class NameOwnerStepTest : public NameOwnerTest {
 protected:
  void SetUp() override {
    if (const std::string why = SteppedChild::WhyNot(); !why.empty()) GTEST_SKIP() << why;
  }

  // The whole life of a server.
  std::string Serve() const {
    auto listener = Listen();
    if (absl::IsAlreadyExists(listener.status())) return "name taken";
    if (!listener.ok()) return listener.status().ToString();
    return LeadsTo() == getpid() ? "served" : "the name leads elsewhere";
  }

  // Calls `check` with a server that stands before or after each of its system calls, and
  // expects that afterwards nothing is left. Returns how many times it did.
  int AtEveryStep(absl::FunctionRef<void(SteppedChild& server)> check) const {
    int steps = 0;
    for (bool ended = false; !ended && !HasFailure(); ++steps) {
      SCOPED_TRACE(absl::StrCat("at step ", steps));
      SteppedChild server([&] { return Serve(); });
      ended = !server.Step(steps);
      check(server);
      EXPECT_THAT(directory_.List(), IsEmpty());
    }
    return steps;
  }

  void ExpectTheNameIsFree() const {
    const auto next = Listen();
    EXPECT_THAT(next, IsOk());
    EXPECT_EQ(LeadsTo(), getpid());
  }
};

TEST_F(NameOwnerStepTest, KilledAtAnyStepItBlocksNobody) {
  const int steps = AtEveryStep([&](SteppedChild& server) {
    server.Kill();
    ExpectTheNameIsFree();
  });
  EXPECT_GT(steps, 40);  // it did go through Listen() and the destructor
}

TEST_F(NameOwnerStepTest, StoppedAtAnyStepItSharesTheNameWithNobody) {
  int won = 0, lost = 0;
  AtEveryStep([&](SteppedChild& server) {
    const auto mine = Listen();
    if (mine.ok()) {
      // The other one must notice, or have left before: nothing it still does may harm us.
      EXPECT_THAT(server.Finish(), AnyOf("name taken", "served"));
      EXPECT_EQ(LeadsTo(), getpid());
      std::string pid;
      std::getline(std::ifstream(directory_.path() + "/payments.lock"), pid);
      EXPECT_EQ(pid, absl::StrCat(getpid()));
      ++won;
    } else {
      EXPECT_TRUE(absl::IsAlreadyExists(mine.status())) << mine.status();
      EXPECT_EQ(server.Finish(), "served");
      ++lost;
    }
  });
  EXPECT_GT(won, 10);
  EXPECT_GT(lost, 10);
}

// Between any two of its system calls another server comes, serves and leaves, so that the
// lock file it has just opened may be nobody's any more.
TEST_F(NameOwnerStepTest, StoppedAtAnyStepItSurvivesAnotherOwnersWholeLife) {
  int others = 0;
  AtEveryStep([&](SteppedChild& server) {
    if (Listen().ok()) ++others;
    EXPECT_EQ(server.Finish(), "served");
  });
  EXPECT_GT(others, 10);
}

// A replica that dies leaves its name to the next replica, and the service's to a server that is
// none.
TEST_F(NameOwnerStepTest, AReplicaKilledAtAnyStepBlocksNobody) {
  int steps = 0;
  for (bool ended = false; !ended && !HasFailure(); ++steps) {
    SCOPED_TRACE(absl::StrCat("at step ", steps));
    SteppedChild server([&] {
      const auto replica = NameListener::ListenAsReplica(at_, name_);
      return replica.ok() ? replica->name() : replica.status().ToString();
    });
    ended = !server.Step(steps);
    server.Kill();
    ExpectTheNameIsFree();
    const auto next = NameListener::ListenAsReplica(at_, name_);
    ASSERT_THAT(next, IsOk());
    EXPECT_EQ(next->name(), "payments=0");
  }
  EXPECT_GT(steps, 40);
  EXPECT_THAT(directory_.List(), IsEmpty());
}

// Every system call of a server that concerns files fails once, with every error.
TEST_F(NameOwnerStepTest, WhateverFailsItLeavesNothingThatBlocksTheNext) {
#if defined(__x86_64__)
  const std::set<long> concerned = {SYS_openat,     SYS_flock,     SYS_fstat,  SYS_newfstatat,
                                    SYS_pwrite64,   SYS_socket,    SYS_bind,   SYS_chmod,
                                    SYS_faccessat2, SYS_ftruncate, SYS_listen, SYS_connect,
                                    SYS_unlinkat};
  for (int error : {EIO, ENOENT, EACCES, EMFILE, ENOSPC}) {
    int failures = 0;
    for (bool failed = true; failed && !HasFailure(); ++failures) {
      SCOPED_TRACE(absl::StrCat("error ", error, " at call ", failures));
      SteppedChild server([&] { return Serve(); });
      const int files = CountOpenFiles(server.pid());
      failed = false;
      int seen = 0;
      long call;
      while ((call = server.NextSystemCall()) != SYS_exit_group) {
        ASSERT_NE(call, -1);
        if (concerned.contains(call) && seen++ == failures) {
          server.FailSystemCall(error);
          failed = true;
        }
      }
      EXPECT_EQ(CountOpenFiles(server.pid()), files);
      EXPECT_THAT(server.Finish(), Not(HasSubstr("killed")));
      ExpectTheNameIsFree();
      EXPECT_THAT(directory_.List(), IsEmpty());
    }
    EXPECT_GT(failures, 15);
  }
#else
  GTEST_SKIP() << "making system calls fail is written for x86-64 only";
#endif
}

// Two processes take and leave one name as fast as they can while the test kills one of
// them again and again.
TEST_F(NameOwnerTest, RacersThatAreKilledNeverShareTheName) {
  constexpr int kKills = 400;
  struct Racer {
    std::atomic<bool> owns{false};    // set while it holds the name
    std::atomic<bool> doomed{false};  // set before it is killed: `owns` may be stale
    std::atomic<int> served{0};
  };
  struct Shared {
    Racer racers[2];
    std::atomic<int> violations{0};
  };
  void* memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  PCHECK(memory != MAP_FAILED);
  Shared& shared = *new (memory) Shared;

  const auto race = [&](int self) {
    return std::make_unique<ForkedChild>([&, self]() -> std::string {
      Racer& me = shared.racers[self];
      const Racer& other = shared.racers[1 - self];
      for (;; sched_yield()) {
        auto listener = Listen();
        if (!listener.ok()) {
          if (!absl::IsAlreadyExists(listener.status())) ++shared.violations;
          continue;
        }
        me.owns = true;
        // All sequentially consistent: of two owners one sees the other. `doomed` first: the
        // test clears it after `owns`, so a dead racer's flag cannot be taken for a new one's.
        if (!other.doomed && other.owns) ++shared.violations;
        if (LeadsTo() != getpid()) ++shared.violations;
        me.owns = false;
        ++me.served;
      }
    });
  };

  std::unique_ptr<ForkedChild> racers[] = {race(0), race(1)};
  std::mt19937 random(1);
  for (int i = 0; i < kKills; ++i) {
    usleep(random() % 3000);  // decides nothing but where the victim stands
    const int victim = random() % 2;
    shared.racers[victim].doomed = true;
    racers[victim]->Kill();
    shared.racers[victim].owns = false;
    shared.racers[victim].doomed = false;
    racers[victim] = race(victim);
  }
  // Nobody is stuck: both still serve.
  for (Racer& racer : shared.racers) {
    const int before = racer.served;
    EXPECT_TRUE(Eventually([&] { return racer.served >= before + 3; }));
  }
  for (auto& racer : racers) racer.reset();

  EXPECT_EQ(shared.violations, 0);
  EXPECT_GT(shared.racers[0].served + shared.racers[1].served, kKills);
  EXPECT_THAT(Listen(), IsOk());
  EXPECT_THAT(directory_.List(), IsEmpty());
  munmap(memory, sizeof(Shared));
}

}  // namespace
}  // namespace grpc_cxl::internal
