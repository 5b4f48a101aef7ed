// SPDX-License-Identifier: Apache-2.0
// Proves which users are accepted: the own one, root, and named ones. How two real users meet
// and do not: test/e2e/errors_test.cc. In a user namespace the number that stands for every
// unmapped user is nobody's.
#include "grpc_cxl/rendezvous/trusted_users.h"

#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "gtest/gtest.h"
#include "test/support/await_readable.h"
#include "test/support/forked_child.h"
#include "test/support/socket_pair.h"
#include "test/support/temporary_directory.h"
#include "test/support/user_namespace.h"

namespace grpc_cxl::internal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr uid_t kOverflow = 65534;

TEST(TrustedUsersTest, OurselvesRootAndTheNamedOnes) {
  const TrustedUsers nobody_named, some{{1234, 70000}};
  for (const TrustedUsers& users : {nobody_named, some}) {
    EXPECT_TRUE(users.Allows(geteuid()));
    EXPECT_TRUE(users.Allows(0));
    EXPECT_FALSE(users.Allows(geteuid() + 1));
    EXPECT_FALSE(users.Allows(1235));
    EXPECT_FALSE(users.Allows(static_cast<uid_t>(-1)));  // "unknown" to the kernel
  }
  for (const uid_t named : {1234, 70000}) {
    EXPECT_TRUE(some.Allows(named));
    EXPECT_FALSE(nobody_named.Allows(named));
  }
}

TEST(TrustedUsersTest, AnOrdinaryUserMeetsRoot) {
  if (const std::string why = WhyNoOrdinaryUser(); !why.empty()) GTEST_SKIP() << why;
  ForkedChild child(OrdinaryUser(),
                    [] { return TrustedUsers().Allows(0) ? "meets" : "does not meet"; });
  EXPECT_EQ(child.Join(), "meets");
}

// A process of group 2000 that also belongs to group 2001.
TEST(TrustedUsersTest, MembersOfAGroup) {
  if (const std::string why = WhyNoOtherUser(); !why.empty()) GTEST_SKIP() << why;
  ForkedChild child([] {
    const gid_t more[] = {2001};
    if (setgroups(1, more) != 0 || setegid(2000) != 0) return std::string("no groups");
    const SocketPair sockets;
    std::string allowed;
    for (const gid_t gid : {2000, 2001, 2002, 0}) {
      TrustedUsers users;
      users.allowed_gids = {gid};
      absl::StrAppend(&allowed, users.AllowsPeer(sockets.ours.get(), geteuid() + 1));
    }
    return allowed;
  });
  EXPECT_EQ(child.Join(), "1100");
}

class UnmappedUsersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = WhyNoUserNamespace(); !why.empty()) GTEST_SKIP() << why;
  }
};

TEST_F(UnmappedUsersTest, AreNotTheServersOwnUserNorANamedOne) {
  for (const uid_t self : {kOverflow, uid_t{1000}}) {
    ForkedChild child([&] {
      EnterUserNamespace(self);
      return absl::StrCat(TrustedUsers().Allows(kOverflow),
                          TrustedUsers{{kOverflow}}.Allows(kOverflow), TrustedUsers().Allows(1000),
                          TrustedUsers().Allows(0));
    });
    EXPECT_EQ(child.Join(), self == 1000 ? "0011" : "0001") << self;
  }
}

TEST_F(UnmappedUsersTest, AreMembersOfNoGroup) {
  const SocketPair sockets;
  TrustedUsers users;
  users.allowed_gids = {kOverflow};
  ForkedChild child([&] {
    EnterUserNamespace(1000);
    return absl::StrCat(users.AllowsPeer(sockets.ours.get(), kOverflow));
  });
  EXPECT_EQ(child.Join(), "0");
}

// Both sockets belong to the test's user, whom the child's namespace does not map.
TEST_F(UnmappedUsersTest, AreRefusedAndNobodyIsAdvisedToAllowThem) {
  SocketPair sockets;
  SendHello(sockets.theirs.get(), 0).IgnoreError();
  ForkedChild child([&] {
    if (unshare(CLONE_NEWUSER) != 0) return std::string("no namespace");
    return ReceiveHello(sockets.ours.get(), {}).status().ToString();
  });
  const auto text =
      AllOf(HasSubstr("PERMISSION_DENIED"), HasSubstr("user namespace"), HasSubstr("uid 65534"),
            HasSubstr("GRPC_CXL_TRUSTED_DIR"), HasSubstr("GRPC_CXL_ALLOWED_GROUPS"),
            HasSubstr("GRPC_CXL_SECRET_FILE"), Not(HasSubstr("allowed_uids")));
  EXPECT_THAT(child.Join(), text);
  EXPECT_THAT(ReceiveWelcome(sockets.theirs.get(), {}).status().ToString(), text);
}

TEST_F(UnmappedUsersTest, AreNotTrustedWithADirectory) {
  const TemporaryDirectory directory;
  ForkedChild child([&] {
    if (unshare(CLONE_NEWUSER) != 0) return std::string("no namespace");
    return absl::StrCat(
        RendezvousDirectory::Open({.configured = directory.path()}).status().ToString(), " ",
        RendezvousDirectory::Open({.runtime = directory.path(), .temporary = "/missing"})
            .status()
            .ToString());
  });
  EXPECT_THAT(child.Join(),
              AllOf(HasSubstr("PERMISSION_DENIED"), HasSubstr("user namespace"),
                    HasSubstr("set GRPC_CXL_DIR"), Not(HasSubstr("allowed_uids")),
                    HasSubstr("/missing")));  // XDG_RUNTIME_DIR is not a directory of our own
}

// Two containers with different users, each as its own uid 0, in a directory of a third user.
TEST_F(UnmappedUsersTest, MeetInADirectoryThatIsTrusted) {
  if (const std::string why = WhyNoOtherUser(); !why.empty()) GTEST_SKIP() << why;
  const TemporaryDirectory directory("/tmp");
  ASSERT_EQ(chmod(directory.path().c_str(), 01777), 0);
  const DirectoryCandidates trusted{.trusted = directory.path()};
  TrustedUsers everybody;
  everybody.everybody = true;
  const ServiceName name = *ServiceName::Parse("payments");
  ForkedChild server(100000, [&] {
    EnterUserNamespace(0);
    const auto at = RendezvousDirectory::Open(trusted);
    if (!at.ok()) return at.status().ToString();
    auto listener = NameListener::Listen(*at, name);
    raise(SIGSTOP);
    if (!listener.ok() || !AwaitReadable(listener->fd())) return listener.status().ToString();
    const UniqueFd client = *listener->Accept();
    AwaitReadable(client.get());
    const auto hello = ReceiveHello(client.get(), everybody);
    SendRefusal(client.get(), Refusal::kShuttingDown, "they met");
    return hello.status().ToString();
  });
  server.AwaitStopAndContinue();
  ForkedChild client(200000, [&] {
    EnterUserNamespace(0);
    const auto at = RendezvousDirectory::Open(trusted);
    if (!at.ok()) return at.status().ToString();
    const auto socket = Dial(*at, name);
    if (!socket.ok()) return socket.status().ToString();
    SendHello(socket->get(), 0).IgnoreError();
    AwaitReadable(socket->get());
    return ReceiveWelcome(socket->get(), everybody).status().ToString();
  });
  EXPECT_THAT(client.Join(), HasSubstr("they met"));
  EXPECT_EQ(server.Join(), "OK");
}

}  // namespace
}  // namespace grpc_cxl::internal
