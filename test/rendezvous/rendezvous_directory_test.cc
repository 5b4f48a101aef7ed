// Proves where names are looked for, in which order, and that a directory that is missing,
// foreign, planted or none is refused with a text that names it, says where its name came
// from and what to do.
#include "grpc_cxl/rendezvous/rendezvous_directory.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/rendezvous/child.h"
#include "test/rendezvous/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

// All the variables set, so that the order is what decides.
class DirectoryTest : public ::testing::Test {
 protected:
  DirectoryTest() {
    for (const char* variable : {"GRPC_CXL_DIR", "XDG_RUNTIME_DIR", "TMPDIR"}) {
      const std::string path = absl::StrCat(base_.path(), "/", variable);
      std::filesystem::create_directory(path);
      setenv(variable, path.c_str(), 1);
    }
  }
  ~DirectoryTest() override {
    for (const char* variable : {"GRPC_CXL_DIR", "XDG_RUNTIME_DIR", "TMPDIR"}) unsetenv(variable);
  }

  std::string In(const std::string& file) const { return absl::StrCat(base_.path(), "/", file); }
  std::string TemporaryDefault() const { return In(absl::StrCat("TMPDIR/grpc_cxl-", geteuid())); }

  const TemporaryDirectory base_;
  const TrustedUsers trust_;
};

mode_t ModeOf(const std::string& path) {
  struct stat found;
  return lstat(path.c_str(), &found) == 0 ? found.st_mode & 07777 : 0;
}

TEST_F(DirectoryTest, TheOrderIsOptionThenVariableThenRuntimeThenTemporary) {
  std::filesystem::create_directory(In("chosen"));
  EXPECT_THAT(FindRendezvousDirectory(In("chosen"), trust_), IsOkAndHolds(In("chosen")));
  EXPECT_THAT(FindRendezvousDirectory("", trust_), IsOkAndHolds(In("GRPC_CXL_DIR")));
  setenv("GRPC_CXL_DIR", "", 1);
  EXPECT_THAT(FindRendezvousDirectory("", trust_), IsOkAndHolds(In("XDG_RUNTIME_DIR/grpc_cxl")));
  unsetenv("GRPC_CXL_DIR");
  EXPECT_THAT(FindRendezvousDirectory("", trust_), IsOkAndHolds(In("XDG_RUNTIME_DIR/grpc_cxl")));
  unsetenv("XDG_RUNTIME_DIR");
  EXPECT_THAT(FindRendezvousDirectory("", trust_), IsOkAndHolds(TemporaryDefault()));
}

TEST_F(DirectoryTest, DefaultsAreMadeForUsAloneAndFoundAgain) {
  unsetenv("GRPC_CXL_DIR");
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(FindRendezvousDirectory("", trust_), IsOkAndHolds(In("XDG_RUNTIME_DIR/grpc_cxl")));
    EXPECT_EQ(ModeOf(In("XDG_RUNTIME_DIR/grpc_cxl")), 0700u);
  }
  unsetenv("XDG_RUNTIME_DIR");
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(FindRendezvousDirectory("", trust_), IsOkAndHolds(TemporaryDefault()));
    EXPECT_EQ(ModeOf(TemporaryDefault()), 0700u);
  }
}

TEST_F(DirectoryTest, ARuntimeDirectoryThatIsNotOursIsPassedOver) {
  unsetenv("GRPC_CXL_DIR");
  setenv("XDG_RUNTIME_DIR", In("missing").c_str(), 1);
  EXPECT_THAT(FindRendezvousDirectory("", trust_), IsOkAndHolds(TemporaryDefault()));
  if (geteuid() != 0) GTEST_SKIP() << "the rest needs root, to make a directory of another user";
  // As after sudo: a directory in which root must not leave things of its own.
  setenv("XDG_RUNTIME_DIR", In("XDG_RUNTIME_DIR").c_str(), 1);
  ASSERT_EQ(chown(In("XDG_RUNTIME_DIR").c_str(), kNobody, kNobody), 0);
  EXPECT_THAT(FindRendezvousDirectory("", trust_), IsOkAndHolds(TemporaryDefault()));
  EXPECT_FALSE(std::filesystem::exists(In("XDG_RUNTIME_DIR/grpc_cxl")));
}

TEST_F(DirectoryTest, AChosenDirectoryMustExist) {
  EXPECT_THAT(FindRendezvousDirectory(In("missing"), trust_),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr(In("missing")), HasSubstr("from the options"),
                             HasSubstr("does not exist"), HasSubstr("set GRPC_CXL_DIR"))));
  setenv("GRPC_CXL_DIR", In("missing").c_str(), 1);
  EXPECT_THAT(FindRendezvousDirectory("", trust_),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr(In("missing")), HasSubstr("from GRPC_CXL_DIR"),
                             HasSubstr("does not exist"))));
  EXPECT_FALSE(std::filesystem::exists(In("missing")));
}

TEST_F(DirectoryTest, AMissingTemporaryDirectoryIsNamed) {
  unsetenv("GRPC_CXL_DIR");
  unsetenv("XDG_RUNTIME_DIR");
  setenv("TMPDIR", In("missing").c_str(), 1);
  EXPECT_THAT(FindRendezvousDirectory("", trust_),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr(In("missing")), HasSubstr("set TMPDIR"))));
}

TEST_F(DirectoryTest, AFileIsNoDirectory) {
  std::ofstream(In("file")) << "x";
  EXPECT_THAT(FindRendezvousDirectory(In("file"), trust_),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr(In("file")), HasSubstr("is not a directory"))));
}

TEST_F(DirectoryTest, ARelativePathIsMadeAbsolute) {
  std::filesystem::create_directory(In("chosen"));
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(base_.path());
  EXPECT_THAT(FindRendezvousDirectory("chosen", trust_),
              IsOkAndHolds(absl::StrCat(std::filesystem::current_path().string(), "/chosen")));
  std::filesystem::current_path(before);
}

TEST_F(DirectoryTest, ALinkIsFollowedWhenChosenAndRefusedWhenPlanted) {
  std::filesystem::create_directory(In("target"));
  std::filesystem::create_directory_symlink(In("target"), In("link"));
  EXPECT_THAT(FindRendezvousDirectory(In("link"), trust_), IsOkAndHolds(In("link")));

  unsetenv("GRPC_CXL_DIR");
  unsetenv("XDG_RUNTIME_DIR");
  std::filesystem::create_directory_symlink(In("target"), TemporaryDefault());
  EXPECT_THAT(FindRendezvousDirectory("", trust_),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr(TemporaryDefault()), HasSubstr("symbolic link"),
                             HasSubstr("remove it"), HasSubstr("set GRPC_CXL_DIR"))));
}

TEST_F(DirectoryTest, ADefaultThatOthersCanWriteToIsRefused) {
  unsetenv("GRPC_CXL_DIR");
  ASSERT_THAT(FindRendezvousDirectory("", trust_), IsOkAndHolds(In("XDG_RUNTIME_DIR/grpc_cxl")));
  for (mode_t mode : {0720, 0702, 01777}) {
    ASSERT_EQ(chmod(In("XDG_RUNTIME_DIR/grpc_cxl").c_str(), mode), 0);
    EXPECT_THAT(FindRendezvousDirectory("", trust_),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         AllOf(HasSubstr("writable for other users"), HasSubstr("chmod"))));
    // Chosen, it is the user's own decision.
    EXPECT_THAT(FindRendezvousDirectory(In("XDG_RUNTIME_DIR/grpc_cxl"), trust_),
                IsOkAndHolds(In("XDG_RUNTIME_DIR/grpc_cxl")));
  }
}

TEST_F(DirectoryTest, TheOwnerMustBeTrusted) {
  if (geteuid() != 0) GTEST_SKIP() << "it needs root, to make a directory of another user";
  std::filesystem::create_directory(In("foreign"));
  ASSERT_EQ(chown(In("foreign").c_str(), kNobody, kNobody), 0);
  EXPECT_THAT(FindRendezvousDirectory(In("foreign"), trust_),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       AllOf(HasSubstr(In("foreign")), HasSubstr("belongs to uid 65534"),
                             HasSubstr("allowed_uids"), HasSubstr("set GRPC_CXL_DIR"))));
  EXPECT_THAT(FindRendezvousDirectory(In("foreign"), TrustedUsers{{kNobody}}),
              IsOkAndHolds(In("foreign")));

  // Somebody was there before us in /tmp.
  unsetenv("GRPC_CXL_DIR");
  unsetenv("XDG_RUNTIME_DIR");
  std::filesystem::create_directory(TemporaryDefault());
  ASSERT_EQ(chown(TemporaryDefault().c_str(), kNobody, kNobody), 0);
  EXPECT_THAT(FindRendezvousDirectory("", trust_),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       AllOf(HasSubstr(TemporaryDefault()), HasSubstr("belongs to uid 65534"),
                             HasSubstr("the default"))));
}

TEST_F(DirectoryTest, RootsDirectoryIsGoodForEverybody) {
  if (const std::string why = WhyNoOrdinaryUser(); !why.empty()) GTEST_SKIP() << why;
  Child child(OrdinaryUser(), [&] {
    auto found = FindRendezvousDirectory("/usr", trust_);
    return found.ok() ? *found : found.status().ToString();
  });
  EXPECT_EQ(child.Join(), "/usr");
}

TEST_F(DirectoryTest, ADirectoryThatWeMayNotReachIsNamed) {
  if (const std::string why = WhyNoOrdinaryUser(); !why.empty()) GTEST_SKIP() << why;
  const TemporaryDirectory closed("/tmp");
  ASSERT_EQ(chmod(closed.path().c_str(), 0), 0);
  Child child(OrdinaryUser(), [&] {
    return FindRendezvousDirectory(closed.path() + "/inner", trust_).status().ToString();
  });
  EXPECT_THAT(child.Join(), AllOf(HasSubstr("PERMISSION_DENIED"), HasSubstr(closed.path()),
                                  HasSubstr(absl::StrCat("uid ", OrdinaryUser())),
                                  HasSubstr("set GRPC_CXL_DIR")));
}

}  // namespace
}  // namespace grpc_cxl::internal
