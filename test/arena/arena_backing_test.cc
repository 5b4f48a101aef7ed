// Proves that each kind of backing either works or says in one sentence what to change:
// huge pages, and directories that are fine, missing, no directory, not writable, full or
// unable to reserve.

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/base/unique_fd.h"
#include "gtest/gtest.h"
#include "test/base/both_sides.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr size_t kMiB = size_t{1} << 20;

ArenaBacking In(const std::string& directory) {
  return {.kind = ArenaBacking::Kind::kDirectory, .directory = directory};
}

constexpr auto Nothing = [] { return std::string(); };

std::string WhyNot(const absl::Status& status, const ::testing::Matcher<absl::Status>& matcher) {
  return matcher.Matches(status) ? "" : status.ToString();
}

// What /proc/meminfo says of 2 MiB pages that nobody has taken.
int FreeHugePages() {
  std::ifstream free("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
  int pages = 0;
  free >> pages;
  return pages;
}

TEST(HugePagesTest, WhereTheHostHasReservedSome) {
  if (FreeHugePages() == 0) {
    GTEST_SKIP() << "the host has no free 2 MiB pages; to run this: sysctl vm.nr_hugepages=4";
  }
  absl::StatusOr<Arena> arena = Arena::Create(1, {.kind = ArenaBacking::Kind::kMemfdHuge});
  ASSERT_TRUE(arena.ok()) << arena.status();
  EXPECT_EQ(arena->size(), 2 * kMiB);
  EXPECT_TRUE(arena->sealed());
  arena->data()[2 * kMiB - 1] = 'x';
  absl::StatusOr<Arena> other = Arena::Attach(UniqueFd(dup(arena->fd())), 2 * kMiB, true);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(other->data()[2 * kMiB - 1], 'x');
}

TEST(HugePagesTest, MoreThanTheHostHasReserved) {
  const size_t bytes = (FreeHugePages() + 1) * 2 * kMiB;
  EXPECT_THAT(Arena::Create(bytes, {.kind = ArenaBacking::Kind::kMemfdHuge}),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("cannot reserve"), HasSubstr("sysctl vm.nr_hugepages"))));
}

class DirectoryTest : public ::testing::Test {
 protected:
  DirectoryTest() {
    std::string name = ::testing::TempDir() + "/arena-XXXXXX";
    directory_ = mkdtemp(name.data());
  }
  ~DirectoryTest() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
};

TEST_F(DirectoryTest, WorksAndLeavesNoName) {
  absl::StatusOr<Arena> arena = Arena::Create(kMiB, In(directory_));
  ASSERT_TRUE(arena.ok()) << arena.status();
  EXPECT_FALSE(arena->sealed());
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
  struct stat file;
  ASSERT_EQ(fstat(arena->fd(), &file), 0);
  EXPECT_EQ(file.st_nlink, 0);
  EXPECT_EQ(file.st_mode & 0777, 0600);
  EXPECT_GE(file.st_blocks * 512, static_cast<int64_t>(kMiB)) << "all of it is reserved";
  EXPECT_EQ(fcntl(arena->fd(), F_GETFD), FD_CLOEXEC);

  arena->data()[kMiB - 1] = 'x';
  absl::StatusOr<Arena> other = Arena::Attach(UniqueFd(dup(arena->fd())), kMiB, /*sealed=*/false);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(other->data()[kMiB - 1], 'x');
}

TEST_F(DirectoryTest, CannotPassForSealed) {
  absl::StatusOr<Arena> arena = Arena::Create(kMiB, In(directory_));
  ASSERT_TRUE(arena.ok()) << arena.status();
  EXPECT_THAT(Arena::Attach(UniqueFd(dup(arena->fd())), kMiB, /*sealed=*/true),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("not sealed")));
}

TEST_F(DirectoryTest, Missing) {
  EXPECT_THAT(Arena::Create(kMiB, In(directory_ + "/missing")),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr(directory_ + "/missing"),
                             HasSubstr("must be a directory we can write to"))));
}

TEST_F(DirectoryTest, NotNamed) {
  EXPECT_THAT(Arena::Create(kMiB, In("")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("directory's name")));
}

TEST_F(DirectoryTest, NoDirectory) {
  std::ofstream(directory_ + "/file") << "x";
  EXPECT_THAT(Arena::Create(kMiB, In(directory_ + "/file")),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(directory_ + "/file")));
}

TEST_F(DirectoryTest, NotWritable) {
  ASSERT_EQ(chmod(directory_.c_str(), 0500), 0);
  const auto as_nobody = [this]() -> std::string {
    // Root may write anywhere; other users lack the right to become somebody else.
    if (geteuid() == 0 && (chown(directory_.c_str(), 65534, 65534) != 0 || setuid(65534) != 0)) {
      return "skip: becoming another user is not permitted";
    }
    return WhyNot(Arena::Create(kMiB, In(directory_)).status(),
                  StatusIs(absl::StatusCode::kPermissionDenied,
                           AllOf(HasSubstr(directory_), HasSubstr("can write to"))));
  };
  const std::string result = RunBothSides(World::kProcesses, Nothing, as_nobody);
  if (result.find("skip: ") != std::string::npos) GTEST_SKIP() << result;
  EXPECT_EQ(result, "");
}

// Moves this process into a mount namespace of its own: as root, or as root of a user
// namespace in which nobody but we ourselves exists.
bool OwnMountNamespace() {
  if (unshare(CLONE_NEWNS) == 0) return true;
  const std::string map = absl::StrCat("0 ", geteuid(), " 1");
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  std::ofstream("/proc/self/uid_map") << map;
  return geteuid() == 0;
}

// Mounts a file system of `type` for `body`, which runs in a child. Returns what `body`
// returns, or "skip: " and the reason.
std::string OnFileSystem(const std::string& directory, const char* type, const char* options,
                         const std::function<std::string()>& body) {
  return RunBothSides(World::kProcesses, Nothing, [&]() -> std::string {
    if (!OwnMountNamespace()) return "skip: no mount namespace of our own is permitted";
    mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    if (mount("none", directory.c_str(), type, 0, options) != 0) {
      return absl::StrCat("skip: mounting ", type, " is not permitted");
    }
    return body();
  });
}

TEST_F(DirectoryTest, Full) {
  const std::string result = OnFileSystem(directory_, "tmpfs", "size=1m", [this] {
    absl::StatusOr<Arena> fits = Arena::Create(kMiB / 2, In(directory_));
    if (!fits.ok()) return fits.status().ToString();
    return WhyNot(
        Arena::Create(kMiB, In(directory_)).status(),
        StatusIs(absl::StatusCode::kResourceExhausted,
                 AllOf(HasSubstr("cannot reserve 1048576 bytes"),
                       HasSubstr("make room in " + directory_), HasSubstr("No space left"))));
  });
  if (result.find("skip: ") != std::string::npos) GTEST_SKIP() << result;
  EXPECT_EQ(result, "");
}

TEST_F(DirectoryTest, FileSystemThatCannotReserve) {
  const std::string result = OnFileSystem(directory_, "ramfs", "", [this] {
    return WhyNot(
        Arena::Create(kMiB, In(directory_)).status(),
        StatusIs(absl::StatusCode::kInvalidArgument,
                 AllOf(HasSubstr("cannot reserve space (fallocate)"), HasSubstr("tmpfs"))));
  });
  if (result.find("skip: ") != std::string::npos) GTEST_SKIP() << result;
  EXPECT_EQ(result, "");
}

}  // namespace
}  // namespace grpc_cxl::internal
