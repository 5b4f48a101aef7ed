// SPDX-License-Identifier: Apache-2.0
// Proves that each kind of backing either works or says in one sentence what to change:
// huge pages, and directories that are fine, missing, no directory, not writable, full or
// unable to reserve.

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "absl/status/status_matchers.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/base/unique_fd.h"
#include "gtest/gtest.h"
#include "test/support/forked_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr size_t kMiB = size_t{1} << 20;
ArenaBacking HugePages() { return {.kind = ArenaBacking::Kind::kMemfdHuge}; }

ArenaBacking In(const std::string& directory) {
  return {.kind = ArenaBacking::Kind::kDirectory, .directory = directory};
}

// The free 2 MiB pages of the host.
int FreeHugePages() {
  std::ifstream free("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
  int pages = 0;
  free >> pages;
  return pages;
}

// Another mapping of the memory sees what this one writes.
void ExpectShared(Arena& arena) {
  absl::StatusOr<Arena> other =
      Arena::Attach(UniqueFd(dup(arena.fd())), arena.size(), arena.sealed(), /*trust_peer=*/true);
  ASSERT_TRUE(other.ok()) << other.status();
  arena.data()[arena.size() - 1] = 'x';
  EXPECT_EQ(other->data()[arena.size() - 1], 'x');
}

TEST(HugePagesTest, WhereTheHostHasReservedSome) {
  if (FreeHugePages() == 0) {
    GTEST_SKIP() << "the host has no free 2 MiB pages; to run this: sysctl vm.nr_hugepages=4";
  }
  absl::StatusOr<Arena> arena = Arena::Create(1, HugePages());
  ASSERT_TRUE(arena.ok()) << arena.status();
  EXPECT_EQ(arena->size(), 2 * kMiB);
  EXPECT_TRUE(arena->sealed());
  ExpectShared(*arena);
}

TEST(HugePagesTest, MoreThanTheHostHasReserved) {
  EXPECT_THAT(Arena::Create((FreeHugePages() + 1) * 2 * kMiB, HugePages()),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("cannot reserve"), HasSubstr("sysctl vm.nr_hugepages"))));
}

class DirectoryTest : public ::testing::Test {
 protected:
  // What Create() says in a file system of `type`, made for a child.
  std::string CreateOn(const char* type, const char* options) {
    return ForkedChild([&]() -> std::string {
             if (!OwnMountNamespace()) return "skip: no mount namespace of our own is permitted";
             mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
             if (mount("none", path().c_str(), type, 0, options) != 0) {
               return absl::StrCat("skip: mounting ", type, " is not permitted");
             }
             return Arena::Create(kMiB, In(path())).status().ToString();
           })
        .Join();
  }

  const std::string& path() const { return directory_.path(); }

  const TemporaryDirectory directory_;

 private:
  // As root, or as root of a user namespace in which nobody but we ourselves exists.
  static bool OwnMountNamespace() {
    if (unshare(CLONE_NEWNS) == 0) return true;
    const std::string map = absl::StrCat("0 ", geteuid(), " 1");
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
    std::ofstream("/proc/self/uid_map") << map;
    return geteuid() == 0;
  }
};

TEST_F(DirectoryTest, WorksAndLeavesNoName) {
  absl::StatusOr<Arena> arena = Arena::Create(kMiB, In(path()));
  ASSERT_TRUE(arena.ok()) << arena.status();
  EXPECT_FALSE(arena->sealed());
  EXPECT_THAT(directory_.List(), IsEmpty());
  struct stat file;
  ASSERT_EQ(fstat(arena->fd(), &file), 0);
  EXPECT_EQ(file.st_nlink, 0);
  EXPECT_EQ(file.st_mode & 0777, 0600);
  EXPECT_GE(file.st_blocks * 512, static_cast<int64_t>(kMiB)) << "all of it is reserved";
  EXPECT_EQ(fcntl(arena->fd(), F_GETFD), FD_CLOEXEC);
  ExpectShared(*arena);
  EXPECT_THAT(Arena::Attach(UniqueFd(dup(arena->fd())), kMiB, /*sealed=*/true, /*trust_peer=*/true),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("not sealed")));
}

TEST_F(DirectoryTest, WhatIsNoDirectoryIsNamed) {
  std::ofstream(path() + "/file") << "x";
  EXPECT_THAT(Arena::Create(kMiB, In(path() + "/file")),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(path() + "/file")));
  EXPECT_THAT(Arena::Create(kMiB, In(path() + "/missing")),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr(path() + "/missing"),
                             HasSubstr("must be a directory that this process may write to"))));
  EXPECT_THAT(Arena::Create(kMiB, In("")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("directory's name")));
}

TEST_F(DirectoryTest, NotWritable) {
  if (const std::string why = WhyNoOrdinaryUser(); !why.empty()) GTEST_SKIP() << why;
  const TemporaryDirectory read_only("/tmp");
  ASSERT_EQ(chmod(read_only.path().c_str(), 0555), 0);
  ForkedChild child(OrdinaryUser(),
                    [&] { return Arena::Create(kMiB, In(read_only.path())).status().ToString(); });
  EXPECT_THAT(child.Join(), AllOf(HasSubstr("PERMISSION_DENIED"), HasSubstr(read_only.path()),
                                  HasSubstr("may write to")));
}

TEST_F(DirectoryTest, TooSmall) {
  const std::string result = CreateOn("tmpfs", "size=512k");
  if (absl::StartsWith(result, "skip: ")) GTEST_SKIP() << result;
  EXPECT_THAT(result,
              AllOf(HasSubstr("RESOURCE_EXHAUSTED"), HasSubstr("cannot reserve 1048576 bytes"),
                    HasSubstr("make space in " + path()), HasSubstr("No space left")));
}

TEST_F(DirectoryTest, FileSystemThatCannotReserve) {
  const std::string result = CreateOn("ramfs", "");
  if (absl::StartsWith(result, "skip: ")) GTEST_SKIP() << result;
  EXPECT_THAT(result, AllOf(HasSubstr("INVALID_ARGUMENT"),
                            HasSubstr("cannot reserve space (fallocate)"), HasSubstr("tmpfs")));
}

}  // namespace
}  // namespace grpc_cxl::internal
