// SPDX-License-Identifier: Apache-2.0

// A thousand clients are killed at random moments of their lives: while they start, shake
// hands, call, write. Afterwards their server holds as much as before, and nothing of them
// is left anywhere.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/status/status_file.h"
#include "test/e2e/child.h"
#include "test/support/eventually.h"
#include "test/support/left_in.h"
#include "test/support/process_state.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::e2e {
namespace {

using internal::CountArenas;
using internal::CountOpenFiles;
using internal::Eventually;
using internal::LeftIn;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

int64_t ResidentBytes(pid_t pid) {
  std::ifstream statm(absl::StrCat("/proc/", pid, "/statm"));
  int64_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

std::set<std::string> NamesInSharedMemory() {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

class ClientKillsTest : public ::testing::Test {
 protected:
  // Both use temporary_ as temporary directory.
  std::unique_ptr<Child> Start(const std::string& role, internal::SpawnOptions options = {},
                               const std::vector<std::string>& flags = {}) {
    options.environment["TMPDIR"] = temporary_.path();
    return std::make_unique<Child>(role, TransportKind::kCxl, rendezvous_.path(), flags, options);
  }
  // The server's open files, with those of its status page.
  int FilesOf(const Child& server) {
    EXPECT_TRUE(Eventually([&] {
      const std::vector<std::string> files = rendezvous_.List();
      return std::any_of(files.begin(), files.end(),
                         [](const auto& file) { return internal::IsStatusFile(file); });
    }));
    return CountOpenFiles(server.pid());
  }
  // Four clients live at a time, each for up to 60 ms: a client calls after about 25.
  void KillClients(int count) {
    std::deque<std::unique_ptr<Child>> living;
    for (int i = 0; i < count; ++i) {
      living.push_back(Start("busy_client"));
      absl::SleepFor(absl::Microseconds(random_() % 15'000));
      if (living.size() == 4) {
        living.front()->Kill();
        living.pop_front();
      }
    }
  }

  const internal::TemporaryDirectory rendezvous_;
  const internal::TemporaryDirectory temporary_;
  std::minstd_rand random_{4711};
};

TEST_F(ClientKillsTest, LeaveNothingBehind) {
  // Else malloc counts what its threads keep for their next requests as allocated.
  const auto server =
      Start("server", {.environment = {{"GLIBC_TUNABLES", "glibc.malloc.tcache_count=0"}}});
  ASSERT_EQ(server->ReadLine(), "serving");
  const int files = FilesOf(*server);
  const std::set<std::string> shared_memory = NamesInSharedMemory();
  const auto nobody_is_connected = [&] {
    return CountOpenFiles(server->pid()) == files && CountArenas(server->pid()) == 0;
  };
  KillClients(100);  // has threads and pools started
  EXPECT_TRUE(Eventually(nobody_is_connected));
  const int64_t resident = ResidentBytes(server->pid());
  const int64_t allocated = server->AllocatedBytes();

  KillClients(Kills(1000));  // takes about a minute
  EXPECT_TRUE(Eventually(nobody_is_connected))
      << CountOpenFiles(server->pid()) << " open files instead of " << files << ", "
      << CountArenas(server->pid()) << " arenas";
  const int64_t resident_after = ResidentBytes(server->pid());
  const int64_t allocated_after = server->AllocatedBytes();
  std::cout << "the server after 100 kills and more: allocated " << allocated << " and "
            << allocated_after << " bytes, resident " << resident << " and " << resident_after
            << std::endl;
  EXPECT_LT(allocated_after, allocated + (1 << 20));
  EXPECT_LT(resident_after, resident + (32 << 20));  // one arena in a hundred would be 20 MiB
  EXPECT_THAT(LeftIn(rendezvous_), ElementsAre("e2e+echo.lock", "e2e+echo.sock"));
  EXPECT_THAT(temporary_.List(), IsEmpty());
  EXPECT_TRUE(Eventually([&] { return NamesInSharedMemory() == shared_memory; }));

  // It still serves, and leaves nothing either.
  EXPECT_EQ(Start("client")->ReadLine(), "unary 0 ");
  EXPECT_EQ(server->Finish(), 0);
  std::cout << server->ReadLine().value_or("nothing") << std::endl;
  EXPECT_THAT(LeftIn(rendezvous_), IsEmpty());
  EXPECT_THAT(temporary_.List(), IsEmpty());
}

// The same with arenas that are files of a directory.
TEST_F(ClientKillsTest, LeaveNothingInTheArenaDirectory) {
  const internal::TemporaryDirectory arenas;
  const auto server = Start("server", {}, {"--arena_directory=" + arenas.path()});
  ASSERT_EQ(server->ReadLine(), "serving");
  const int files = FilesOf(*server);
  KillClients(50);
  EXPECT_TRUE(Eventually([&] { return CountOpenFiles(server->pid()) == files; }));
  EXPECT_THAT(arenas.List(), IsEmpty());
  server->Kill();
  EXPECT_THAT(arenas.List(), IsEmpty());
}

}  // namespace
}  // namespace grpc_cxl::e2e
