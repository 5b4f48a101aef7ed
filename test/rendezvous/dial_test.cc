// SPDX-License-Identifier: Apache-2.0
// Proves what a client is told when it cannot connect, by name and directory. (That connecting
// leaves no descriptor: event_engine/connect_test.)
#include "grpc_cxl/rendezvous/dial.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc_cxl/rendezvous/dead_addresses.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "gtest/gtest.h"
#include "test/rendezvous/at.h"
#include "test/support/forked_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

class DialTest : public ::testing::Test {
 protected:
  const TemporaryDirectory directory_;
  const RendezvousDirectory at_ = At(directory_.path());
  const ServiceName name_ = *ServiceName::Parse("payments");
};

TEST_F(DialTest, NobodyListensNamesTheDirectoryAndTheVariable) {
  const auto nobody = StatusIs(
      absl::StatusCode::kUnavailable,
      AllOf(HasSubstr(absl::StrCat("no server listens on \"payments\" in ", directory_.path())),
            HasSubstr("GRPC_CXL_DIR")));
  EXPECT_THAT(Dial(at_, name_), nobody);
  std::ofstream(directory_.path() + "/payments.sock") << "no socket";
  EXPECT_THAT(Dial(at_, name_), nobody);
}

TEST_F(DialTest, ARolloutHasFilesOfItsOwn) {
  const auto of = [this](const std::string& rollout) {
    return *RendezvousDirectory::Open({.configured = directory_.path(), .rollout = rollout});
  };
  const auto none = NameListener::Listen(at_, name_),
             blue = NameListener::Listen(of("blue"), name_);
  ASSERT_THAT(none, IsOk());
  ASSERT_THAT(blue, IsOk());
  EXPECT_THAT(Dial(of("blue"), name_), IsOk());
  EXPECT_TRUE(std::filesystem::exists(directory_.path() + "/payments~blue.lock"));
  // Names of which ours is a part are other names.
  std::ofstream(directory_.path() + "/payments2.sock");
  EXPECT_THAT(Dial(of("green"), name_),
              StatusIs(absl::StatusCode::kUnavailable,
                       AllOf(HasSubstr("other rollouts have the name ("), HasSubstr("\"blue\""),
                             HasSubstr("none"), HasSubstr("), ours is \"green\""))));
  const ServiceName longest = *ServiceName::Parse(std::string(75, 'x'));
  EXPECT_THAT(NameListener::Listen(of("blue"), longest), IsOk() /* 80 */);
  EXPECT_THAT(NameListener::Listen(of("green"), longest),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"green\"")));
}

TEST_F(DialTest, AddressesOfTheDeadAreRemovedAndNoOthers) {
  const std::string dead = directory_.path() + "/tcp=any=1=net4-1";
  const auto living = NameListener::Listen(at_, ServiceName::Reserved("tcp=any=2=net4-1"));
  ASSERT_THAT(living, IsOk());
  for (const std::string end : {".lock", "~blue.lock"}) std::ofstream(dead + end) << "";
  RemoveDeadAddresses(at_);
  EXPECT_FALSE(std::filesystem::exists(dead + ".lock"));
  EXPECT_TRUE(std::filesystem::exists(dead + "~blue.lock"));
  EXPECT_THAT(Dial(at_, ServiceName::Reserved("tcp=any=2=net4-1")), IsOk());
}

TEST_F(DialTest, AListenerWhoseQueueIsFullIsBusy) {
  auto listener = NameListener::Listen(at_, name_);
  ASSERT_THAT(listener, IsOk());
  absl::StatusOr<UniqueFd> socket;
  // A connection waits in the queue even when its client has closed it.
  for (int i = 0; i < 1'000'000; ++i) {
    socket = Dial(at_, name_);
    if (!socket.ok()) break;
  }
  EXPECT_THAT(socket, StatusIs(absl::StatusCode::kResourceExhausted,
                               AllOf(HasSubstr("\"payments\""), HasSubstr(directory_.path()))));
  ASSERT_TRUE(*listener->Accept());
  EXPECT_THAT(Dial(at_, name_), IsOk());
}

TEST_F(DialTest, ADirectoryThatWeMayNotEnterIsDenied) {
  if (const std::string why = WhyNoOrdinaryUser(); !why.empty()) GTEST_SKIP() << why;
  const TemporaryDirectory closed("/tmp");
  auto listener = NameListener::Listen(At(closed.path()), name_);
  ASSERT_THAT(listener, IsOk());
  ASSERT_EQ(chmod(closed.path().c_str(), 0), 0);
  ForkedChild child(OrdinaryUser(),
                    [&] { return Dial(At(closed.path()), name_).status().ToString(); });
  EXPECT_THAT(child.Join(),
              AllOf(HasSubstr("PERMISSION_DENIED"), HasSubstr("\"payments\""),
                    HasSubstr(closed.path()), HasSubstr(absl::StrCat("uid ", OrdinaryUser()))));
  ASSERT_EQ(chmod(closed.path().c_str(), 0700), 0);
}

TEST_F(DialTest, AMissingProcIsNamed) {
  auto listener = NameListener::Listen(at_, name_);
  ASSERT_THAT(listener, IsOk());
  ForkedChild child([&] {
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", "", MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("none", "/proc", "tmpfs", 0, nullptr) != 0) {
      return std::string("not permitted");
    }
    return absl::StrCat(
        Dial(at_, name_).status().ToString(), " ",
        NameListener::Listen(at_, *ServiceName::Parse("other")).status().ToString());
  });
  const std::string said = child.Join();
  if (said == "not permitted") GTEST_SKIP() << "/proc cannot be hidden from a child here";
  EXPECT_THAT(said, ContainsRegex("FAILED_PRECONDITION: /proc is missing.*"
                                  "FAILED_PRECONDITION: cannot listen.*: /proc is missing"));
}

}  // namespace
}  // namespace grpc_cxl::internal
