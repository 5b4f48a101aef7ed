// SPDX-License-Identifier: Apache-2.0
// Proves that a line is known at both ends by the connection's key, that the claim does not tell
// the key, and that whatever else comes on a line, or claims to be one, is refused.
#include "grpc_cxl/rendezvous/line.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/log/check.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "gtest/gtest.h"
#include "test/rendezvous/at.h"
#include "test/rendezvous/raw_peer.h"
#include "test/support/await_readable.h"
#include "test/support/eventually.h"
#include "test/support/forked_child.h"
#include "test/support/process_state.h"
#include "test/support/socket_pair.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

class LineTest : public ::testing::Test {
 protected:
  int client() const { return pair_.ours.get(); }
  int server() const { return pair_.theirs.get(); }

  // Either end refuses what the other has sent, and the other is told.
  void ExpectRefused(const absl::Status& refused, absl::StatusCode code, int other) {
    EXPECT_THAT(refused, StatusIs(code, Not(HasSubstr("\n"))));
    EXPECT_THAT(ReceiveWelcome(other, {.everybody = true}), StatusIs(code));
  }

  const SocketPair pair_;
  const LineKey key_ = LineKey::Fresh();
};

TEST_F(LineTest, EachKeyIsNewAndHasItsClaim) {
  std::set<decltype(LineKey::bytes)> keys;
  std::set<LineClaim> claims;
  for (int i = 0; i < 100; ++i) {
    const LineKey key = LineKey::Fresh();
    keys.insert(key.bytes);
    claims.insert(ClaimOf(key));
    EXPECT_EQ(ClaimOf(key), ClaimOf(key));
    EXPECT_TRUE(AreEqual(key, key));
    EXPECT_FALSE(AreEqual(key, key_));
    // The claim travels to whoever has the name: it must not hold the key.
    const LineClaim claim = ClaimOf(key);
    EXPECT_THAT(std::string(claim.begin(), claim.end()),
                Not(HasSubstr(std::string(key.bytes.begin(), key.bytes.end()))));
  }
  EXPECT_EQ(keys.size(), 100u);
  EXPECT_EQ(claims.size(), 100u);
}

TEST_F(LineTest, TheHelloTellsTheKeyAndTheLineItsClaim) {
  ASSERT_THAT(SendHello(client(), kServesBack, key_), IsOk());
  const auto hello = ReceiveHello(server(), {});
  ASSERT_THAT(hello, IsOk());
  EXPECT_TRUE(AreEqual((*hello)->line_key, key_));
  EXPECT_FALSE((*hello)->claim.has_value());

  ASSERT_THAT(SendLine(client(), ClaimOf(key_)), IsOk());
  const auto line = ReceiveHello(server(), {});
  ASSERT_THAT(line, IsOk());
  EXPECT_EQ((*line)->claim, ClaimOf(key_));
  EXPECT_EQ((*line)->peer.pid, getpid());
}

TEST_F(LineTest, TheServerSaysHelloWithTheKey) {
  EXPECT_FALSE(ReceiveHelloOnLine(client(), key_)->has_value());
  ASSERT_THAT(SendHello(server(), kDirectCalls, key_), IsOk());
  const auto hello = ReceiveHelloOnLine(client(), key_);
  ASSERT_THAT(hello, IsOk());
  EXPECT_EQ((*hello)->features, kDirectCalls);
}

TEST_F(LineTest, AnotherKeyIsRefused) {
  LineKey near = key_;
  near.bytes.back() ^= 1;
  for (const LineKey& key : {LineKey{}, LineKey::Fresh(), near}) {
    ASSERT_THAT(SendHello(server(), kNoFeatures, key), IsOk());
    ExpectRefused(ReceiveHelloOnLine(client(), key_).status(), absl::StatusCode::kPermissionDenied,
                  server());
  }
}

TEST_F(LineTest, ARefusalIsRead) {
  SendRefusal(server(), Refusal::kUid, "of no\nconnection");
  EXPECT_THAT(ReceiveHelloOnLine(client(), key_),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("of no?connection")));
}

TEST_F(LineTest, NothingElseIsAHelloOnALine) {
  const int before = CountOpenFiles();
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  std::string successor = BytesOf(Honest<HelloMessage>()).substr(0, 24);
  successor[20] = 1;
  LineMessage line = Honest<LineMessage>();
  line.preamble.features = kServesBack;
  HelloMessage version = Honest<HelloMessage>();
  ++version.preamble.layout_version;
  HelloMessage secret = Honest<HelloMessage>();
  secret.preamble.features = kSharedSecret;
  const struct {
    std::string message;
    bool has_file = false;
  } wrong[] = {{"GET / HTTP/1.1\r\n\r\n"},
               {std::string(1, '\0')},
               {BytesOf(Honest<HelloMessage>()) + "more"},
               {BytesOf(Honest<HelloMessage>()), true},
               {BytesOf(Honest<WelcomeMessage>())},
               {successor},
               {BytesOf(line)},
               {BytesOf(version)},
               {BytesOf(secret)}};
  for (const auto& [message, has_file] : wrong) {
    const SocketPair pair;
    SendRaw(pair.theirs.get(), message,
            has_file ? std::vector<int>{null.get()} : std::vector<int>());
    const auto hello = ReceiveHelloOnLine(pair.ours.get(), {});
    EXPECT_FALSE(hello.ok()) << message;
    EXPECT_THAT(hello.status().message(), Not(HasSubstr("\n")));
    EXPECT_FALSE(ReceiveWelcome(pair.theirs.get(), {}).ok()) << "the server is told";
  }
  {
    SocketPair pair;
    pair.theirs.Reset();
    EXPECT_THAT(ReceiveHelloOnLine(pair.ours.get(), {}), StatusIs(absl::StatusCode::kUnavailable));
    EXPECT_THAT(SendLine(pair.ours.get(), {}), StatusIs(absl::StatusCode::kUnavailable));
  }
  EXPECT_TRUE(Eventually([&] { return CountOpenFiles() <= before + 1; }));
}

TEST_F(LineTest, NothingElseIsALine) {
  LineMessage honest = Honest<LineMessage>();
  honest.preamble.features = kServesBack;
  LineMessage version = honest;
  ++version.preamble.layout_version;
  LineMessage magic = honest;
  ++magic.preamble.magic;
  for (const std::string& message :
       {BytesOf(Honest<LineMessage>()), BytesOf(honest) + "x", BytesOf(honest).substr(0, 47),
        BytesOf(version), BytesOf(magic)}) {
    SendRaw(client(), message);
    ExpectRefused(ReceiveHello(server(), {}).status(), absl::StatusCode::kFailedPrecondition,
                  client());
  }
}

// A secret is proved on the connection, of which the claim tells; the uid counts where it would.
TEST_F(LineTest, WhoMayBringALine) {
  const TemporaryDirectory directory;
  const std::string file = directory.path() + "/secret";
  std::ofstream(file) << "the secret of line_test.cc";
  PCHECK(chmod(file.c_str(), 0600) == 0);
  const auto secret = SharedSecret::Read(file);
  ASSERT_THAT(secret, IsOk());
  ASSERT_THAT(SendLine(client(), ClaimOf(key_)), IsOk());
  const auto line = ReceiveHello(server(), {.secret = *secret});
  ASSERT_THAT(line, IsOk());
  EXPECT_EQ((*line)->claim, ClaimOf(key_));

  if (const std::string why = WhyNoOtherUser(); !why.empty()) GTEST_SKIP() << why;
  const TemporaryDirectory names("/tmp");
  PCHECK(chmod(names.path().c_str(), 0755) == 0);
  const ServiceName name = *ServiceName::Parse("line");
  auto listener = NameListener::Listen(At(names.path()), name);
  ASSERT_THAT(listener, IsOk());
  const RendezvousDirectory at = At(names.path());
  ForkedChild other(kNobody, [&] {
    const auto socket = Dial(at, name);
    CHECK_OK(socket);
    CHECK_OK(SendLine(socket->get(), {}));
    CHECK(AwaitReadable(socket->get()));
    return ReceiveWelcome(socket->get(), {.everybody = true}).status().ToString();
  });
  ASSERT_TRUE(AwaitReadable(listener->fd()));
  const auto socket = listener->Accept();
  ASSERT_THAT(socket, IsOk());
  ASSERT_TRUE(AwaitReadable(socket->get()));
  EXPECT_THAT(ReceiveHello(socket->get(), {}), StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_THAT(other.Join(), HasSubstr(absl::StrCat("uid ", kNobody)));
}

TEST_F(LineTest, AProcessEqualsItselfOnly) {
  const TemporaryDirectory directory;
  const ServiceName name = *ServiceName::Parse("process");
  auto listener = NameListener::Listen(At(directory.path()), name);
  ASSERT_THAT(listener, IsOk());
  const RendezvousDirectory at = At(directory.path());
  ForkedChild other([&] {
    const auto socket = Dial(at, name);
    raise(SIGSTOP);
    return socket.status().ToString();
  });
  ASSERT_TRUE(AwaitReadable(listener->fd()));
  const auto theirs = listener->Accept();
  ASSERT_THAT(theirs, IsOk());
  std::vector<PeerProcess> ours;
  for (int i = 0; i < 2; ++i) {
    const auto dialled = Dial(at, name);
    ASSERT_THAT(dialled, IsOk());
    const auto accepted = listener->Accept();
    ASSERT_THAT(accepted, IsOk());
    const auto process = PeerProcess::Of(accepted->get());
    ASSERT_THAT(process, IsOk());
    ours.push_back(*process);
  }
  EXPECT_EQ(ours[0], ours[1]);
  const auto process = PeerProcess::Of(theirs->get());
  ASSERT_THAT(process, IsOk());
  EXPECT_FALSE(*process == ours[0]);
  other.AwaitStopAndContinue();
  EXPECT_EQ(other.Join(), "OK");
}

TEST_F(LineTest, TheWelcomeMayNameWhereLinesBegin) {
  const UniqueFd arena(open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const std::string& name :
       {std::string(), std::string("shop/payments"), std::string("search=7"),
        std::string("tcp=::1=50051=net4-4026531840"), std::string("name=payments.prod:50051"),
        std::string(80, 'a')}) {
    const SocketPair pair;
    ASSERT_THAT(
        SendWelcome(pair.theirs.get(), {.features = kServesBack, .line_name = name}, arena.get()),
        IsOk());
    const auto welcome = ReceiveWelcome(pair.ours.get(), {});
    ASSERT_THAT(welcome, IsOk()) << name;
    EXPECT_EQ((*welcome)->offer.line_name, name);
  }
  for (const std::string& name : {std::string(81, 'a'), std::string(255, 'a'), std::string("a b"),
                                  std::string("a\n"), std::string("a~b"), std::string("\xff")}) {
    const SocketPair pair;
    ASSERT_THAT(
        SendWelcome(pair.theirs.get(), {.features = kServesBack, .line_name = name}, arena.get()),
        IsOk());
    EXPECT_THAT(ReceiveWelcome(pair.ours.get(), {}),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("calls back")))
        << name;
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
