// SPDX-License-Identifier: Apache-2.0

// Kills a server and a client of a region before every store that they make there, one after
// the other, and expects each time that the other side notices, that successors meet again, and
// that in the end nothing is left: no entry, no memory.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/log/check.h"
#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/region/region_node.h"
#include "test/region/region_children.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

std::atomic<int> stores_left{0};

void DieBeforeStore() {
  if (stores_left.fetch_sub(1) == 1) kill(getpid(), SIGKILL);
}

// Connects once, and tries until it does.
int Call(const std::string& path) {
  const auto node = JoinRegion(path, 1);
  RegionOffer offer = ConnectTo(*node, "mortal");
  const char* const bytes = offer.arena->data();
  if (std::any_of(bytes, bytes + kArenaBytes, [](char byte) { return byte != 0; })) return 3;
  std::fill_n(offer.arena->data(), kArenaBytes, 'x');
  offer.connection->Close();
  offer.arena.reset();
  return 0;
}

template <typename Body>
pid_t Fork(int die_before_store, Body body) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  stores_left = die_before_store;
  if (die_before_store > 0) Region::SetStoreHook(&DieBeforeStore);
  _exit(body());
}

// Its exit code, or minus the signal that killed it.
int Await(pid_t pid) {
  int status;
  CHECK_EQ(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// 0 when soon nothing is in use but the entries of the two nodes that look.
int AwaitEmpty(const std::string& path) {
  const auto host0 = JoinRegion(path, 0), host1 = JoinRegion(path, 1);
  const Region& region = host0->region();
  std::string left;
  const absl::Time start = absl::Now();
  do {
    absl::SleepFor(absl::Milliseconds(5));
    left.clear();
    for (uint32_t host = 0; host < 2; ++host) {
      const auto count = [&](auto read, uint32_t entries) {
        int used = 0;
        for (uint32_t i = 0; i < entries; ++i) used += read(region, host, i).has_value();
        return used;
      };
      const int processes = count(ReadProcess, kHostProcesses);
      const int names = count(ReadName, kHostNames);
      const int requests = count(ReadRequest, kHostRequests);
      const int answers = count(ReadAnswer, kHostAnswers);
      if (processes != 1 || names + requests + answers != 0) {
        absl::StrAppend(&left, " host ", host, ": ", processes, " processes, ", names, " names, ",
                        requests, " requests, ", answers, " answers;");
      }
    }
  } while (!left.empty() && absl::Now() - start < kPatience);
  if (left.empty()) return 0;
  LOG(ERROR) << "left behind:" << left;
  return 1;
}

constexpr int kSurvived = 100;

// One life and death; kSurvived when the victim came to its end before store number `n`.
int Scenario(const std::string& path, bool kill_server, int n) {
  CHECK_OK(FormatRegion(path, {.hosts = 2, .bytes = 1 << 20, .lease = absl::Milliseconds(300)}));
  int stop[2];
  PCHECK(pipe(stop) == 0);
  const auto serve = [&] {
    close(stop[1]);
    return ServeRegion(path, "mortal", stop[0]);
  };
  const pid_t first = Fork(kill_server ? n : 0, serve);
  pid_t client = Fork(kill_server ? 0 : n, [&] {
    close(stop[1]);
    return Call(path);
  });
  pid_t server = first;
  bool survived = false;
  if (kill_server) {
    int status;
    const pid_t ended = waitpid(-1, &status, 0);
    if (ended == client) {
      if (status != 0) return 10;
      survived = true;
    } else {
      if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) return 11;
      server = Fork(0, serve);
      if (Await(client) != 0) return 12;
    }
  } else {
    const int ended = Await(client);
    survived = ended == 0;
    if (!survived && ended != -SIGKILL) return 13;
    if (!survived && Await(Fork(0, [&] { return Call(path); })) != 0) return 14;
  }
  close(stop[1]);
  const int served = Await(server);
  if (kill_server && server == first && served == -SIGKILL) {
    survived = false;  // it died on its way out
  } else if (served != 0) {
    return 15;
  }
  if (Await(Fork(0, [&] { return AwaitEmpty(path); })) != 0) return 16;
  return survived ? kSurvived : 0;
}

class RegionKillTest : public ::testing::TestWithParam<bool> {};

TEST_P(RegionKillTest, AtEveryStore) {
  const TemporaryDirectory directory;
  constexpr int kAtATime = 8;  // they mostly wait for leases
  int n = 1;
  for (bool survived = false; !survived;) {
    std::map<pid_t, int> running;
    for (int i = 0; i < kAtATime; ++i, ++n) {
      running[Fork(
          0, [&] { return Scenario(absl::StrCat(directory.path(), "/", n), GetParam(), n); })] = n;
    }
    for (const auto& [pid, store] : running) {
      const int result = Await(pid);
      survived |= result == kSurvived;
      EXPECT_TRUE(result == 0 || result == kSurvived)
          << "killed before store " << store << ": step " << result;
    }
    ASSERT_LT(n, 1000) << "it never survives";
  }
  std::cout << "killed before " << n - kAtATime << " stores and more" << std::endl;
  // To see that there was something to kill: join, listen or connect, meet, leave.
  EXPECT_GT(n, 15);
}

INSTANTIATE_TEST_SUITE_P(Victims, RegionKillTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Server" : "Client"; });

}  // namespace
}  // namespace grpc_cxl::internal
