// SPDX-License-Identifier: Apache-2.0
// Proves whom we meet: ourselves, root, and the named users. Nobody else can talk to us, in
// either direction, and both sides are told why. The users are real: another process with
// another uid, over a real name.
#include "grpc_cxl/rendezvous/trusted_users.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "gtest/gtest.h"
#include "test/support/await_readable.h"
#include "test/support/forked_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

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

class HandshakeUserTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = WhyNoOtherUser(); !why.empty()) GTEST_SKIP() << why;
    PCHECK(chmod(directory_.path().c_str(), 0711) == 0);
  }

  NameListener Listen() const {
    auto listener = NameListener::Listen(directory_.path(), name_);
    CHECK_OK(listener);
    return *std::move(listener);
  }

  // A client from beginning to end; what it says of it.
  std::string Connect(const TrustedUsers& trust) const {
    auto socket = Dial(directory_.path(), name_);
    if (!socket.ok()) return socket.status().ToString();
    if (auto sent = SendHello(socket->get(), kNoFeatures); !sent.ok()) return sent.ToString();
    CHECK(AwaitReadable(socket->get()));
    auto welcome = ReceiveWelcome(socket->get(), trust);
    if (!welcome.ok()) return welcome.status().ToString();
    return absl::StrCat("met uid ", (*welcome)->peer.uid, " pid ", (*welcome)->peer.pid);
  }

  // A server for one client; returns what it says of it.
  static absl::StatusOr<PeerIdentity> ServeOne(NameListener& listener, const TrustedUsers& trust) {
    CHECK(AwaitReadable(listener.fd()));
    auto socket = listener.Accept();
    if (!socket.ok()) return socket.status();
    CHECK(AwaitReadable(socket->get()));
    auto hello = ReceiveHello(socket->get(), trust);
    if (!hello.ok()) return hello.status();
    const absl::Status sent = SendWelcome(socket->get(), ArenaOffer(), listener.fd());
    if (!sent.ok()) return sent;
    return (*hello)->peer;
  }

  const TemporaryDirectory directory_{"/tmp"};
  const ServiceName name_ = *ServiceName::Parse("payments");
};

TEST_F(HandshakeUserTest, AnUnknownClientIsRefusedAndToldWhy) {
  NameListener listener = Listen();
  ForkedChild client(kNobody, [&] { return Connect(TrustedUsers()); });
  const auto text = AllOf(HasSubstr("the client runs as uid 65534"),
                          HasSubstr("the server (uid 0)"), HasSubstr("allowed_uids"));
  EXPECT_THAT(ServeOne(listener, TrustedUsers()),
              StatusIs(absl::StatusCode::kPermissionDenied, text));
  EXPECT_THAT(client.Join(),
              AllOf(HasSubstr("PERMISSION_DENIED"), HasSubstr("the server refused"), text));
}

TEST_F(HandshakeUserTest, ANamedClientIsMet) {
  NameListener listener = Listen();
  ForkedChild client(kNobody, [&] { return Connect(TrustedUsers()); });  // root needs no mention
  auto peer = ServeOne(listener, TrustedUsers{{kNobody}});
  ASSERT_THAT(peer, IsOk());
  EXPECT_EQ(peer->uid, kNobody);
  EXPECT_EQ(peer->pid, client.pid());
  EXPECT_EQ(client.Join(), absl::StrCat("met uid 0 pid ", getpid()));
}

// Root is met by everybody; an unknown server is left before anything it says is read.
TEST_F(HandshakeUserTest, AServerMustBeTrustedByTheClient) {
  PCHECK(chown(directory_.path().c_str(), kNobody, kNobody) == 0);
  for (const bool named : {true, false}) {
    ForkedChild server(kNobody, [&]() -> std::string {
      NameListener listener = Listen();
      raise(SIGSTOP);
      auto peer = ServeOne(listener, TrustedUsers());
      return peer.ok() ? absl::StrCat("met uid ", peer->uid) : peer.status().ToString();
    });
    server.AwaitStopAndContinue();
    if (named) {
      EXPECT_EQ(Connect(TrustedUsers{{kNobody}}),
                absl::StrCat("met uid ", kNobody, " pid ", server.pid()));
    } else {
      EXPECT_THAT(Connect(TrustedUsers()),
                  AllOf(HasSubstr("PERMISSION_DENIED"), HasSubstr("the server runs as uid 65534"),
                        HasSubstr("the client (uid 0)"), HasSubstr("allowed_uids")));
    }
    EXPECT_EQ(server.Join(), "met uid 0");
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
