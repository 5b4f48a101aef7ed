// SPDX-License-Identifier: Apache-2.0
// Proves that a living owner's page is found alive, that a dead one's is known as such and removed,
// wherever the owner died, and that a file of any other kind is no danger to its readers.
#include "grpc_cxl/status/status_file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/support/forked_child.h"
#include "test/support/stepped_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class StatusFileTest : public testing::Test {
 protected:
  int directory() const { return fd_.get(); }
  std::string OnlyFile() const {
    const std::vector<std::string> files = directory_.List();
    return files.size() == 1 ? files[0] : absl::StrCat(files.size(), " files");
  }
  std::string Path(const std::string& name) const {
    return absl::StrCat(directory_.path(), "/", name);
  }

  // The life of an owner, until it is stopped by raise() or else.
  std::string Own(bool stop) const {
    absl::StatusOr<StatusFile> file = StatusFile::Create(directory());
    if (!file.ok()) return file.status().ToString();
    if (absl::Status status = file->Write(EncodeStatus({})); !status.ok()) return status.ToString();
    if (stop) raise(SIGSTOP);
    if (file->IsGone()) return "gone";
    file->Remove(directory());
    return file->IsGone() ? "removed" : "still there";
  }

  const TemporaryDirectory directory_;
  const UniqueFd fd_{open(directory_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
};

TEST_F(StatusFileTest, ALivingOwnersPageIsReadAndKept) {
  auto file = StatusFile::Create(directory());
  ASSERT_THAT(file, IsOk());
  StatusPage page;
  page.process.pid = 42;
  ASSERT_THAT(file->Write(EncodeStatus(page)), IsOk());
  const std::string name = OnlyFile();
  EXPECT_TRUE(IsStatusFile(name));
  struct stat found;
  ASSERT_EQ(stat(Path(name).c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0640);
  // From another process, as a tool does.
  ForkedChild reader([&]() -> std::string {
    const auto read = ReadStatusFile(directory(), name);
    if (!read.ok()) return read.status().ToString();
    const bool removed = RemoveDeadStatusFile(directory(), name);
    return absl::StrCat(read->alive ? "alive " : "dead ", read->page->process.pid,
                        removed ? " removed" : "");
  });
  EXPECT_EQ(reader.Join(), "alive 42");
  EXPECT_FALSE(file->IsGone());
  file->Remove(directory());
  EXPECT_TRUE(file->IsGone());
  EXPECT_THAT(directory_.List(), IsEmpty());
}

TEST_F(StatusFileTest, AKilledOwnersPageIsDeadAndRemoved) {
  ForkedChild owner([&] { return Own(/*stop=*/true); });
  siginfo_t stopped;
  ASSERT_EQ(waitid(P_PID, owner.pid(), &stopped, WSTOPPED | WNOWAIT), 0);
  const std::string name = OnlyFile();
  EXPECT_TRUE(ReadStatusFile(directory(), name)->alive);
  EXPECT_TRUE(owner.Kill());
  const auto read = ReadStatusFile(directory(), name);
  ASSERT_THAT(read, IsOk());
  EXPECT_FALSE(read->alive);
  EXPECT_TRUE(RemoveDeadStatusFile(directory(), name));
  EXPECT_THAT(directory_.List(), IsEmpty());
  EXPECT_THAT(ReadStatusFile(directory(), name), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(StatusFileTest, AChildDoesNotKeepItsParentsPageAlive) {
  int child_lives[2];
  int child_wrote[2];
  ASSERT_EQ(pipe2(child_lives, O_CLOEXEC), 0);
  ASSERT_EQ(pipe2(child_wrote, O_CLOEXEC), 0);
  ForkedChild owner([&]() -> std::string {
    auto file = StatusFile::Create(directory());
    const pid_t child = fork();
    if (child == 0) {
      (void)file->Write("written by a child");
      char ignored = 0;
      (void)!write(child_wrote[1], &ignored, 1);
      (void)!read(child_lives[0], &ignored, 1);  // until the test ends
      _exit(0);
    }
    char ignored;
    (void)!read(child_wrote[0], &ignored, 1);
    (void)file->Write(EncodeStatus({}));
    raise(SIGSTOP);
    return "";
  });
  siginfo_t stopped;
  ASSERT_EQ(waitid(P_PID, owner.pid(), &stopped, WSTOPPED | WNOWAIT), 0);
  const std::string name = OnlyFile();
  EXPECT_TRUE(ReadStatusFile(directory(), name)->alive);
  owner.Kill();
  const auto read = ReadStatusFile(directory(), name);
  EXPECT_FALSE(read->alive);
  for (const int fd : {child_lives[0], child_lives[1], child_wrote[0], child_wrote[1]}) close(fd);
}

TEST_F(StatusFileTest, AChildClosesNothingElse) {
  ASSERT_THAT(StatusFile::Create(directory()), IsOk());
  // Have the numbers that were the file's.
  const UniqueFd one(open("/dev/zero", O_RDONLY)), other(open("/dev/zero", O_RDONLY));
  ForkedChild child([&]() -> std::string {
    char byte;
    return read(one.get(), &byte, 1) == 1 && read(other.get(), &byte, 1) == 1 ? "" : "closed";
  });
  EXPECT_EQ(child.Join(), "");
}

TEST_F(StatusFileTest, AFullFileSystemIsAnError) {
  auto file = StatusFile::Create(directory());
  ASSERT_THAT(file, IsOk());
  ForkedChild limited([&]() -> std::string {
    const rlimit limit{.rlim_cur = 10, .rlim_max = 10};
    setrlimit(RLIMIT_FSIZE, &limit);
    auto own = StatusFile::Create(directory());
    return std::string(absl::StatusCodeToString(own->Write(EncodeStatus({})).code()));
  });
  EXPECT_EQ(limited.Join(), "RESOURCE_EXHAUSTED");
}

TEST(StatusFileNameTest, FilesOfOthersAreNone) {
  EXPECT_TRUE(IsStatusFile("4711-0f86d081.status"));
  for (const char* name : {"logrotate.status", "4711.status", "4711-.status", "-0f86d081.status",
                           "4711-0f86d08.status", "x-0f86d081.status", "4711-0f86d08\xff.status",
                           ".status", "status", "4711-0f86d081.status~"}) {
    EXPECT_FALSE(IsStatusFile(name)) << name;
  }
}

TEST_F(StatusFileTest, OtherKindsOfFilesAreNotRead) {
  ASSERT_EQ(mkfifo(Path("1-00000001.status").c_str(), 0600), 0);
  ASSERT_EQ(mkdir(Path("2-00000002.status").c_str(), 0700), 0);
  ASSERT_EQ(symlink("/dev/zero", Path("3-00000003.status").c_str()), 0);
  for (const std::string& name : directory_.List()) {
    EXPECT_FALSE(ReadStatusFile(directory(), name).ok()) << name;
    EXPECT_FALSE(RemoveDeadStatusFile(directory(), name)) << name;
  }
  EXPECT_THAT(directory_.List(), SizeIs(3));
}

// The owner stands before and after each of its system calls.
TEST_F(StatusFileTest, KilledOrRobbedAtAnyStep) {
  if (const std::string why = SteppedChild::WhyNot(); !why.empty()) GTEST_SKIP() << why;
  const auto remove_all = [&] {
    for (const std::string& name : directory_.List()) RemoveDeadStatusFile(directory(), name);
  };
  int steps = 0;
  for (bool ended = false; !ended && !HasFailure(); ++steps) {
    SCOPED_TRACE(absl::StrCat("at step ", steps));
    {
      SteppedChild owner([&] { return Own(/*stop=*/false); });
      ended = !owner.Step(steps);
      owner.Kill();
      remove_all();
      EXPECT_THAT(directory_.List(), IsEmpty());
    }
    SteppedChild owner([&] { return Own(/*stop=*/false); });
    owner.Step(steps);
    remove_all();
    EXPECT_EQ(owner.Finish(), "removed");
    EXPECT_THAT(directory_.List(), IsEmpty());
  }
  EXPECT_GT(steps, 10);
}

}  // namespace
}  // namespace grpc_cxl::internal
