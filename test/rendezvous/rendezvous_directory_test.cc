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

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

// All candidates given, so that the order is what decides.
class DirectoryTest : public ::testing::Test {
 protected:
  DirectoryTest() {
    candidates_ = {.configured = "",
                   .variable = In("GRPC_CXL_DIR"),
                   .runtime = In("XDG_RUNTIME_DIR"),
                   .temporary = In("TMPDIR")};
    for (const std::string& path :
         {candidates_.variable, candidates_.runtime, candidates_.temporary}) {
      std::filesystem::create_directory(path);
    }
  }

  absl::StatusOr<std::string> Find() const { return FindRendezvousDirectory(candidates_, users_); }
  absl::StatusOr<std::string> Find(const std::string& configured) const {
    return FindRendezvousDirectory({.configured = configured}, users_);
  }

  std::string In(const std::string& file) const { return absl::StrCat(base_.path(), "/", file); }
  std::string TemporaryDefault() const { return In(absl::StrCat("TMPDIR/grpc_cxl-", geteuid())); }

  const TemporaryDirectory base_;
  const TrustedUsers users_;
  DirectoryCandidates candidates_;
};

mode_t ModeOf(const std::string& path) {
  struct stat found;
  return lstat(path.c_str(), &found) == 0 ? found.st_mode & 07777 : 0;
}

TEST_F(DirectoryTest, TheOrderIsOptionThenVariableThenRuntimeThenTemporary) {
  std::filesystem::create_directory(In("chosen"));
  EXPECT_THAT(Find(In("chosen")), IsOkAndHolds(In("chosen")));
  EXPECT_THAT(Find(), IsOkAndHolds(In("GRPC_CXL_DIR")));
  candidates_.variable.clear();
  EXPECT_THAT(Find(), IsOkAndHolds(In("XDG_RUNTIME_DIR/grpc_cxl")));
  candidates_.runtime.clear();
  EXPECT_THAT(Find(), IsOkAndHolds(TemporaryDefault()));
}

TEST_F(DirectoryTest, DefaultsAreMadeForUsAloneAndFoundAgain) {
  candidates_.variable.clear();
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(Find(), IsOkAndHolds(In("XDG_RUNTIME_DIR/grpc_cxl")));
    EXPECT_EQ(ModeOf(In("XDG_RUNTIME_DIR/grpc_cxl")), 0700u);
  }
  candidates_.runtime.clear();
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(Find(), IsOkAndHolds(TemporaryDefault()));
    EXPECT_EQ(ModeOf(TemporaryDefault()), 0700u);
  }
}

TEST_F(DirectoryTest, ARuntimeDirectoryThatIsNotOursIsPassedOver) {
  candidates_.variable.clear();
  candidates_.runtime = In("missing");
  EXPECT_THAT(Find(), IsOkAndHolds(TemporaryDefault()));
  if (geteuid() != 0) GTEST_SKIP() << "the rest needs root, to make a directory of another user";
  // As after sudo: a directory in which root must not leave things of its own.
  candidates_.runtime = In("XDG_RUNTIME_DIR");
  ASSERT_EQ(chown(In("XDG_RUNTIME_DIR").c_str(), kNobody, kNobody), 0);
  EXPECT_THAT(Find(), IsOkAndHolds(TemporaryDefault()));
  EXPECT_FALSE(std::filesystem::exists(In("XDG_RUNTIME_DIR/grpc_cxl")));
}

TEST_F(DirectoryTest, AChosenDirectoryMustExist) {
  EXPECT_THAT(Find(In("missing")),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr(In("missing")), HasSubstr("from the options"),
                             HasSubstr("does not exist"), HasSubstr("set GRPC_CXL_DIR"))));
  candidates_.variable = In("missing");
  EXPECT_THAT(Find(), StatusIs(absl::StatusCode::kNotFound,
                               AllOf(HasSubstr(In("missing")), HasSubstr("from GRPC_CXL_DIR"),
                                     HasSubstr("does not exist"))));
  EXPECT_FALSE(std::filesystem::exists(In("missing")));
}

TEST_F(DirectoryTest, AMissingTemporaryDirectoryIsNamed) {
  candidates_.variable.clear();
  candidates_.runtime.clear();
  candidates_.temporary = In("missing");
  EXPECT_THAT(Find(), StatusIs(absl::StatusCode::kNotFound,
                               AllOf(HasSubstr(In("missing")), HasSubstr("set TMPDIR"))));
}

TEST_F(DirectoryTest, AFileIsNoDirectory) {
  std::ofstream(In("file")) << "x";
  EXPECT_THAT(Find(In("file")),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr(In("file")), HasSubstr("is not a directory"))));
}

TEST_F(DirectoryTest, ARelativePathIsMadeAbsolute) {
  std::filesystem::create_directory(In("chosen"));
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(base_.path());
  EXPECT_THAT(Find("chosen"),
              IsOkAndHolds(absl::StrCat(std::filesystem::current_path().string(), "/chosen")));
  std::filesystem::current_path(before);
}

TEST_F(DirectoryTest, ALinkIsFollowedWhenChosenAndRefusedWhenPlanted) {
  std::filesystem::create_directory(In("target"));
  std::filesystem::create_directory_symlink(In("target"), In("link"));
  EXPECT_THAT(Find(In("link")), IsOkAndHolds(In("link")));

  candidates_.variable.clear();
  candidates_.runtime.clear();
  std::filesystem::create_directory_symlink(In("target"), TemporaryDefault());
  EXPECT_THAT(Find(), StatusIs(absl::StatusCode::kFailedPrecondition,
                               AllOf(HasSubstr(TemporaryDefault()), HasSubstr("symbolic link"),
                                     HasSubstr("remove it"), HasSubstr("set GRPC_CXL_DIR"))));
}

TEST_F(DirectoryTest, ADefaultThatOthersCanWriteToIsRefused) {
  candidates_.variable.clear();
  ASSERT_THAT(Find(), IsOkAndHolds(In("XDG_RUNTIME_DIR/grpc_cxl")));
  for (mode_t mode : {0720, 0702, 01777}) {
    ASSERT_EQ(chmod(In("XDG_RUNTIME_DIR/grpc_cxl").c_str(), mode), 0);
    EXPECT_THAT(Find(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                 AllOf(HasSubstr("writable for other users"), HasSubstr("chmod"))));
    // Chosen, it is the user's own decision.
    EXPECT_THAT(Find(In("XDG_RUNTIME_DIR/grpc_cxl")), IsOkAndHolds(In("XDG_RUNTIME_DIR/grpc_cxl")));
  }
}

TEST_F(DirectoryTest, TheOwnerMustBeTrusted) {
  if (geteuid() != 0) GTEST_SKIP() << "it needs root, to make a directory of another user";
  std::filesystem::create_directory(In("foreign"));
  ASSERT_EQ(chown(In("foreign").c_str(), kNobody, kNobody), 0);
  EXPECT_THAT(Find(In("foreign")),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       AllOf(HasSubstr(In("foreign")), HasSubstr("belongs to uid 65534"),
                             HasSubstr("allowed_uids"), HasSubstr("set GRPC_CXL_DIR"))));
  EXPECT_THAT(FindRendezvousDirectory({.configured = In("foreign")}, TrustedUsers{{kNobody}}),
              IsOkAndHolds(In("foreign")));

  // Somebody was there before us in /tmp.
  candidates_.variable.clear();
  candidates_.runtime.clear();
  std::filesystem::create_directory(TemporaryDefault());
  ASSERT_EQ(chown(TemporaryDefault().c_str(), kNobody, kNobody), 0);
  EXPECT_THAT(Find(), StatusIs(absl::StatusCode::kPermissionDenied,
                               AllOf(HasSubstr(TemporaryDefault()),
                                     HasSubstr("belongs to uid 65534"), HasSubstr("the default"))));
}

TEST_F(DirectoryTest, RootsDirectoryIsGoodForEverybody) {
  if (const std::string why = WhyNoOrdinaryUser(); !why.empty()) GTEST_SKIP() << why;
  ForkedChild child(OrdinaryUser(), [&] {
    auto found = Find("/usr");
    return found.ok() ? *found : found.status().ToString();
  });
  EXPECT_EQ(child.Join(), "/usr");
}

TEST_F(DirectoryTest, ADirectoryThatWeMayNotReachIsNamed) {
  if (const std::string why = WhyNoOrdinaryUser(); !why.empty()) GTEST_SKIP() << why;
  const TemporaryDirectory closed("/tmp");
  ASSERT_EQ(chmod(closed.path().c_str(), 0), 0);
  ForkedChild child(OrdinaryUser(),
                    [&] { return Find(closed.path() + "/inner").status().ToString(); });
  EXPECT_THAT(child.Join(), AllOf(HasSubstr("PERMISSION_DENIED"), HasSubstr(closed.path()),
                                  HasSubstr(absl::StrCat("uid ", OrdinaryUser())),
                                  HasSubstr("set GRPC_CXL_DIR")));
}

}  // namespace
}  // namespace grpc_cxl::internal
