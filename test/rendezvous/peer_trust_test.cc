// SPDX-License-Identifier: Apache-2.0
// Proves which rung of trust a peer gets from its uid, its namespaces and our lists, with real
// processes: a doubt (no number here, dead) lands on the lower rung.
#include "grpc_cxl/rendezvous/peer_trust.h"

#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status_matchers.h"
#include "grpc_cxl/base/unique_fd.h"
#include "gtest/gtest.h"
#include "test/support/forked_child.h"

namespace grpc_cxl::internal {
namespace {

class PeerTrustTest : public ::testing::Test {
 protected:
  PeerTrustTest() {
    address_.sun_family = AF_UNIX;
    listener_ = UniqueFd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    // The kernel finds a name.
    EXPECT_EQ(bind(listener_.get(), address(), sizeof(sa_family_t)), 0);
    EXPECT_EQ(getsockname(listener_.get(), address(), &address_bytes_), 0);
    EXPECT_EQ(listen(listener_.get(), 1), 0);
  }

  // In a child: connects, and stops with the connection open.
  std::string ConnectAndStop() {
    const UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const bool connected = connect(fd.get(), address(), address_bytes_) == 0;
    raise(SIGSTOP);
    return connected ? "" : "connect failed";
  }

  // The judgement about the process that has connected.
  PeerTrust Judge(const TrustedUsers& users = {}) {
    socket_ = UniqueFd(accept(listener_.get(), nullptr, nullptr));
    const absl::StatusOr<PeerIdentity> peer = IdentifyPeer(socket_.get());
    EXPECT_TRUE(peer.ok()) << peer.status();
    return peer.ok() ? JudgePeer(socket_.get(), *peer, users) : PeerTrust::kStranger;
  }

  // Of a child of the same user that `enter` moves elsewhere first.
  void ExpectOfChild(PeerTrust expected, absl::FunctionRef<bool()> enter) {
    ForkedChild child([&] { return enter() ? ConnectAndStop() : "cannot enter"; });
    const PeerTrust trust = Judge();
    child.AwaitStopAndContinue();
    EXPECT_EQ(child.Join(), "");
    EXPECT_EQ(TrustText(trust), TrustText(expected));
  }

  sockaddr* address() { return reinterpret_cast<sockaddr*>(&address_); }

  sockaddr_un address_ = {};
  socklen_t address_bytes_ = sizeof(address_);
  UniqueFd listener_, socket_;
};

TEST_F(PeerTrustTest, OurOwnNamespaces) {
  ExpectOfChild(PeerTrust::kSameNamespaces, [] { return true; });
}

TEST_F(PeerTrustTest, OurUserInAnotherUserNamespace) {
  if (!ForkedChild([] { return unshare(CLONE_NEWUSER) == 0 ? "" : "no"; }).Join().empty()) {
    GTEST_SKIP() << "this system lets no process make a user namespace";
  }
  ExpectOfChild(PeerTrust::kSameUser, [] { return unshare(CLONE_NEWUSER) == 0; });
}

TEST_F(PeerTrustTest, OurUserInAnotherPidNamespace) {
  if (!ForkedChild([] { return unshare(CLONE_NEWPID) == 0 ? "" : "no"; }).Join().empty()) {
    GTEST_SKIP() << "only root can make a pid namespace";
  }
  ForkedChild outside([&]() -> std::string {
    if (unshare(CLONE_NEWPID) != 0) return "cannot unshare";
    const pid_t inside = fork();  // the first process in it
    if (inside == 0) {
      const UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
      connect(fd.get(), address(), address_bytes_);
      for (;;) pause();
    }
    raise(SIGSTOP);
    kill(inside, SIGKILL);
    return waitpid(inside, nullptr, 0) == inside ? "" : "waitpid failed";
  });
  EXPECT_EQ(TrustText(Judge()), TrustText(PeerTrust::kSameUser));
  outside.AwaitStopAndContinue();
  EXPECT_EQ(outside.Join(), "");
}

// Its pid may be another process's by now.
TEST_F(PeerTrustTest, AProcessThatIsGone) {
  ForkedChild child([&]() -> std::string { return ConnectAndStop(); });
  child.AwaitStopAndContinue();
  EXPECT_EQ(child.Join(), "");
  EXPECT_EQ(TrustText(Judge()), TrustText(PeerTrust::kSameUser));
}

TEST_F(PeerTrustTest, AnotherUserIsAStrangerUnlessNamed) {
  if (const std::string why = WhyNoOtherUser(); !why.empty()) GTEST_SKIP() << why;
  for (const auto& [users, expected] :
       {std::pair(TrustedUsers{.allowed_uids = {kNobody}}, PeerTrust::kStranger),
        std::pair(TrustedUsers{.trusted_uids = {kNobody}}, PeerTrust::kTrusted)}) {
    ForkedChild child(kNobody, [&] { return ConnectAndStop(); });
    EXPECT_EQ(TrustText(Judge(users)), TrustText(expected));
    child.AwaitStopAndContinue();
    EXPECT_EQ(child.Join(), "");
  }
}

TEST_F(PeerTrustTest, OnlyTheUpperRungsReachOurMemory) {
  EXPECT_FALSE(IsTrustedWithMemory(PeerTrust::kStranger));
  EXPECT_FALSE(IsTrustedWithMemory(PeerTrust::kSameUser));
  EXPECT_TRUE(IsTrustedWithMemory(PeerTrust::kSameNamespaces));
  EXPECT_TRUE(IsTrustedWithMemory(PeerTrust::kTrusted));
}

}  // namespace
}  // namespace grpc_cxl::internal
