// SPDX-License-Identifier: Apache-2.0
// Proves where names are looked for, in which order, and that a directory that is missing,
// foreign, planted or none is refused with a text that names it, says where its name came
// from and what to do.
#include "grpc_cxl/rendezvous/rendezvous_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/support/forked_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

// All candidates given, so that the order is what decides.
class DirectoryTest : public ::testing::Test {
 protected:
  DirectoryTest() {
    for (const std::string& path :
         {candidates_.variable, candidates_.runtime, candidates_.temporary, In("chosen")}) {
      std::filesystem::create_directory(path);
    }
  }

  // The path of the directory.
  absl::StatusOr<std::string> Find() const { return Find(candidates_); }
  absl::StatusOr<std::string> Find(const std::string& configured) const {
    return Find(DirectoryCandidates{.configured = configured});
  }
  static absl::StatusOr<std::string> Find(const DirectoryCandidates& candidates) {
    const absl::StatusOr<RendezvousDirectory> found = RendezvousDirectory::Open(candidates);
    if (!found.ok()) return found.status();
    return found->path();
  }
  void OnlyTheTemporaryDefault() { candidates_.variable = candidates_.runtime = ""; }

  std::string In(const std::string& file) const { return absl::StrCat(base_.path(), "/", file); }

  const TemporaryDirectory base_;
  DirectoryCandidates candidates_ = {.configured = "",
                                     .variable = In("GRPC_CXL_DIR"),
                                     .runtime = In("XDG_RUNTIME_DIR"),
                                     .temporary = In("TMPDIR")};
  const std::string runtime_default_ = In("XDG_RUNTIME_DIR/grpc_cxl");
  const std::string temporary_default_ = In(absl::StrCat("TMPDIR/grpc_cxl-", geteuid()));
};

// The defaults are made for us alone, and found again.
TEST_F(DirectoryTest, TheOrderIsOptionThenVariableThenRuntimeThenTemporary) {
  const auto expect_private = [](const std::string& path) {
    struct stat found;
    ASSERT_EQ(lstat(path.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 07777, 0700u);
  };
  EXPECT_THAT(Find(In("chosen")), IsOkAndHolds(In("chosen")));
  EXPECT_THAT(Find(), IsOkAndHolds(In("GRPC_CXL_DIR")));
  candidates_.variable.clear();
  EXPECT_THAT(Find(), IsOkAndHolds(runtime_default_));
  EXPECT_THAT(Find(), IsOkAndHolds(runtime_default_));
  expect_private(runtime_default_);
  candidates_.runtime.clear();
  EXPECT_THAT(Find(), IsOkAndHolds(temporary_default_));
  EXPECT_THAT(Find(), IsOkAndHolds(temporary_default_));
  expect_private(temporary_default_);
}

TEST_F(DirectoryTest, ARuntimeDirectoryThatIsNotOursIsPassedOver) {
  candidates_.variable.clear();
  candidates_.runtime = In("missing");
  EXPECT_THAT(Find(), IsOkAndHolds(temporary_default_));
  if (geteuid() != 0) GTEST_SKIP() << "the rest needs root, to make a directory of another user";
  // As after sudo: a directory in which root must not leave things of its own.
  candidates_.runtime = In("XDG_RUNTIME_DIR");
  ASSERT_EQ(chown(In("XDG_RUNTIME_DIR").c_str(), kNobody, kNobody), 0);
  EXPECT_THAT(Find(), IsOkAndHolds(temporary_default_));
  EXPECT_FALSE(std::filesystem::exists(runtime_default_));
}

TEST_F(DirectoryTest, WhatIsMissingOrNoDirectoryIsNamed) {
  EXPECT_THAT(Find(In("missing")),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr(In("missing")), HasSubstr("from the options"),
                             HasSubstr("does not exist"), HasSubstr("set GRPC_CXL_DIR"))));
  candidates_.variable = In("missing");
  EXPECT_THAT(Find(), StatusIs(absl::StatusCode::kNotFound,
                               AllOf(HasSubstr(In("missing")), HasSubstr("from GRPC_CXL_DIR"),
                                     HasSubstr("does not exist"))));
  OnlyTheTemporaryDefault();
  candidates_.temporary = In("missing");
  EXPECT_THAT(Find(), StatusIs(absl::StatusCode::kNotFound,
                               AllOf(HasSubstr(In("missing")), HasSubstr("set TMPDIR"))));
  EXPECT_FALSE(std::filesystem::exists(In("missing")));
  std::ofstream(In("file")) << "x";
  EXPECT_THAT(Find(In("file")),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr(In("file")), HasSubstr("is not a directory"))));
}

TEST_F(DirectoryTest, ARelativePathIsMadeAbsolute) {
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(base_.path());
  EXPECT_THAT(Find("chosen"),
              IsOkAndHolds(absl::StrCat(std::filesystem::current_path().string(), "/chosen")));
  std::filesystem::current_path(before);
}

TEST_F(DirectoryTest, ALinkIsFollowedWhenChosenAndRefusedWhenPlanted) {
  std::filesystem::create_directory_symlink(In("chosen"), In("link"));
  EXPECT_THAT(Find(In("link")), IsOkAndHolds(In("link")));

  OnlyTheTemporaryDefault();
  std::filesystem::create_directory_symlink(In("chosen"), temporary_default_);
  EXPECT_THAT(Find(), StatusIs(absl::StatusCode::kFailedPrecondition,
                               AllOf(HasSubstr(temporary_default_), HasSubstr("symbolic link"),
                                     HasSubstr("remove it"), HasSubstr("set GRPC_CXL_DIR"))));
}

TEST_F(DirectoryTest, ADefaultThatOthersCanWriteToIsRefused) {
  candidates_.variable.clear();
  ASSERT_THAT(Find(), IsOkAndHolds(runtime_default_));
  for (mode_t mode : {0720, 0702, 01777}) {
    ASSERT_EQ(chmod(runtime_default_.c_str(), mode), 0);
    EXPECT_THAT(Find(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                 AllOf(HasSubstr("writable for other users"), HasSubstr("chmod"))));
    // Chosen, it is the user's own decision.
    EXPECT_THAT(Find(runtime_default_), IsOkAndHolds(runtime_default_));
  }
}

TEST_F(DirectoryTest, TheOwnerMustBeTrusted) {
  if (geteuid() != 0) GTEST_SKIP() << "it needs root, to make a directory of another user";
  ASSERT_EQ(chown(In("chosen").c_str(), kNobody, kNobody), 0);
  EXPECT_THAT(Find(In("chosen")),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       AllOf(HasSubstr(In("chosen")), HasSubstr("belongs to uid 65534"),
                             HasSubstr("give it to uid"), HasSubstr("set GRPC_CXL_DIR"))));

  // Somebody was there before us in /tmp.
  OnlyTheTemporaryDefault();
  std::filesystem::create_directory(temporary_default_);
  ASSERT_EQ(chown(temporary_default_.c_str(), kNobody, kNobody), 0);
  EXPECT_THAT(Find(), StatusIs(absl::StatusCode::kPermissionDenied,
                               AllOf(HasSubstr(temporary_default_),
                                     HasSubstr("belongs to uid 65534"), HasSubstr("the default"))));
}

// What was checked is what is used.
TEST_F(DirectoryTest, AnotherDirectoryThatTakesItsPathIsNotUsed) {
  const absl::StatusOr<RendezvousDirectory> opened =
      RendezvousDirectory::Open({.configured = In("chosen")});
  ASSERT_THAT(opened, IsOk());
  std::filesystem::rename(In("chosen"), In("elsewhere"));
  std::filesystem::create_directory(In("chosen"));
  struct stat used, moved;
  ASSERT_EQ(fstat(opened->fd(), &used), 0);
  ASSERT_EQ(stat(In("elsewhere").c_str(), &moved), 0);
  EXPECT_EQ(used.st_ino, moved.st_ino);
}

TEST_F(DirectoryTest, AnOrdinaryUserUsesRootsButNotWhatItCannotReach) {
  if (const std::string why = WhyNoOrdinaryUser(); !why.empty()) GTEST_SKIP() << why;
  const auto find = [&](const std::string& path) {
    return ForkedChild(OrdinaryUser(), [&] { return Find(path).status().ToString(); }).Join();
  };
  EXPECT_EQ(find("/usr"), "OK");
  const TemporaryDirectory closed("/tmp");
  ASSERT_EQ(chmod(closed.path().c_str(), 0), 0);
  EXPECT_THAT(
      find(closed.path() + "/inner"),
      AllOf(HasSubstr("PERMISSION_DENIED"), HasSubstr(closed.path()),
            HasSubstr(absl::StrCat("uid ", OrdinaryUser())), HasSubstr("set GRPC_CXL_DIR")));
}

}  // namespace
}  // namespace grpc_cxl::internal
