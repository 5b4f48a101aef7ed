// Proves that two honest ends agree, and that every other message (short, long, garbage,
// another version, wrong descriptors, none at all) becomes a status with a clear text on
// both sides and leaves no descriptor behind. Who may meet whom is handshake_user_test.cc's
// question.
#include "grpc_cxl/rendezvous/handshake.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/rendezvous/raw_peer.h"
#include "test/support/process_state.h"
#include "test/support/socket_pair.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class HandshakeTest : public ::testing::Test {
 protected:
  HandshakeTest() : file_(open("/dev/null", O_RDWR | O_CLOEXEC)) {}

  int ours() const { return sockets_.ours.get(); }
  int peers() const { return sockets_.theirs.get(); }

  static HelloMessage GoodHello() {
    HelloMessage hello{};
    hello.preamble = {kHandshakeMagic, kLayoutVersion, 0};
    return hello;
  }
  static WelcomeMessage GoodWelcome() {
    WelcomeMessage welcome{};
    welcome.preamble = {kHandshakeMagic, kLayoutVersion, 0};
    return welcome;
  }
  // What a client is told when the server says `text`.
  absl::Status Refused(Refusal refusal, const std::string& text) {
    SendRefusal(peers(), refusal, text);
    return ReceiveWelcome(ours(), TrustedUsers()).status();
  }

  const UniqueFd file_;  // stands for an arena
  SocketPair sockets_;
};

TEST_F(HandshakeTest, BothEndsLearnWhatTheOtherSaid) {
  ASSERT_THAT(SendHello(peers(), 0x5), IsOk());
  auto hello = ReceiveHello(ours(), TrustedUsers());
  ASSERT_THAT(hello, IsOk());
  ASSERT_TRUE(hello->has_value());
  EXPECT_EQ((*hello)->features, 0x5u);
  EXPECT_EQ((*hello)->peer.uid, geteuid());
  EXPECT_EQ((*hello)->peer.pid, getpid());
  EXPECT_EQ((*hello)->claimed_pid, static_cast<uint32_t>(getpid()));

  ArenaOffer offer;
  offer.arena_bytes = uint64_t{1} << 40;
  offer.ring_bytes = 4096;
  offer.sealed = false;
  offer.coherence = Coherence::kFlush;
  offer.features = 0x4;
  ASSERT_THAT(SendWelcome(ours(), offer, file_.get()), IsOk());
  auto welcome = ReceiveWelcome(peers(), TrustedUsers());
  ASSERT_THAT(welcome, IsOk());
  ASSERT_TRUE(welcome->has_value());
  EXPECT_EQ((*welcome)->offer.arena_bytes, offer.arena_bytes);
  EXPECT_EQ((*welcome)->offer.ring_bytes, offer.ring_bytes);
  EXPECT_EQ((*welcome)->offer.sealed, offer.sealed);
  EXPECT_EQ((*welcome)->offer.coherence, offer.coherence);
  EXPECT_EQ((*welcome)->offer.features, offer.features);
  EXPECT_EQ((*welcome)->peer.uid, geteuid());
  EXPECT_EQ((*welcome)->peer.pid, getpid());
  EXPECT_EQ((*welcome)->claimed_pid, static_cast<uint32_t>(getpid()));

  // The very file, in a descriptor of its own that no child program inherits.
  struct stat sent, received;
  ASSERT_EQ(fstat(file_.get(), &sent), 0);
  ASSERT_EQ(fstat((*welcome)->arena_fd.get(), &received), 0);
  EXPECT_EQ(sent.st_ino, received.st_ino);
  EXPECT_NE(file_.get(), (*welcome)->arena_fd.get());
  EXPECT_TRUE(fcntl((*welcome)->arena_fd.get(), F_GETFD) & FD_CLOEXEC);
}

TEST_F(HandshakeTest, AnUnknownKindOfCoherenceIsRefused) {
  ArenaOffer offer;
  offer.coherence = static_cast<Coherence>(7);
  ASSERT_THAT(SendWelcome(ours(), offer, file_.get()), IsOk());
  EXPECT_THAT(ReceiveWelcome(peers(), TrustedUsers()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("wants coherence 7")));
}

TEST_F(HandshakeTest, NothingYetIsNoError) {
  // Also when the socket itself would block.
  ASSERT_EQ(fcntl(ours(), F_SETFL, 0), 0);
  auto hello = ReceiveHello(ours(), TrustedUsers());
  ASSERT_THAT(hello, IsOk());
  EXPECT_FALSE(hello->has_value());
  auto welcome = ReceiveWelcome(ours(), TrustedUsers());
  ASSERT_THAT(welcome, IsOk());
  EXPECT_FALSE(welcome->has_value());
}

TEST_F(HandshakeTest, APeerThatLeavesIsUnavailable) {
  sockets_.theirs.Reset();
  const auto left = StatusIs(absl::StatusCode::kUnavailable,
                             HasSubstr("closed the connection during the handshake"));
  EXPECT_THAT(ReceiveHello(ours(), TrustedUsers()), left);
  EXPECT_THAT(ReceiveWelcome(ours(), TrustedUsers()), left);
  EXPECT_THAT(SendHello(ours(), 0), left);  // and no SIGPIPE
  EXPECT_THAT(SendWelcome(ours(), ArenaOffer(), file_.get()), left);
  SendRefusal(ours(), Refusal::kShuttingDown, "");
}

TEST_F(HandshakeTest, APeerThatLeavesWithOurBytesUnreadIsUnavailable) {
  ASSERT_THAT(SendHello(ours(), 0), IsOk());
  sockets_.theirs.Reset();  // the kernel says ECONNRESET instead of end-of-file
  EXPECT_THAT(ReceiveWelcome(ours(), TrustedUsers()),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("during the handshake")));
}

TEST_F(HandshakeTest, AClientWithAnotherVersionIsRefusedAndBothTextsSaySo) {
  for (int step : {1, -1}) {
    HelloMessage hello = GoodHello();
    hello.preamble.layout_version += step;
    SendRaw(peers(), &hello, sizeof(hello));
    const auto text =
        AllOf(HasSubstr(absl::StrCat("the client has version ", kLayoutVersion + step)),
              HasSubstr(absl::StrCat("the server has version ", kLayoutVersion)),
              HasSubstr("build both with the same release"),
              HasSubstr(step > 0 ? "the server is the older one" : "the client is the older one"));
    EXPECT_THAT(ReceiveHello(ours(), TrustedUsers()),
                StatusIs(absl::StatusCode::kFailedPrecondition, text));
    EXPECT_THAT(ReceiveWelcome(peers(), TrustedUsers()),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         AllOf(HasSubstr("the server refused the connection"), text)));
  }
}

TEST_F(HandshakeTest, AServerWithAnotherVersionIsLeftAndTheTextSaysSo) {
  for (int step : {1, -1}) {
    WelcomeMessage welcome = GoodWelcome();
    welcome.preamble.layout_version += step;
    SendRaw(peers(), &welcome, sizeof(welcome), {file_.get()});
    EXPECT_THAT(
        ReceiveWelcome(ours(), TrustedUsers()),
        StatusIs(absl::StatusCode::kFailedPrecondition,
                 AllOf(HasSubstr(absl::StrCat("the server has version ", kLayoutVersion + step)),
                       HasSubstr(absl::StrCat("the client has version ", kLayoutVersion)),
                       HasSubstr("build both with the same release"))));
  }
}

TEST_F(HandshakeTest, OnlyTheFirstSixteenBytesOfAnotherVersionCount) {
  char longer[512] = {};
  const HandshakePreamble preamble{kHandshakeMagic, kLayoutVersion + 1, 0};
  std::memcpy(longer, &preamble, sizeof(preamble));
  for (size_t size : {sizeof(preamble), sizeof(longer)}) {
    SendRaw(peers(), longer, size);
    EXPECT_THAT(
        ReceiveHello(ours(), TrustedUsers()),
        StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("the client has version")));
    SendRaw(peers(), longer, size);
    EXPECT_THAT(
        ReceiveWelcome(ours(), TrustedUsers()),
        StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("the server has version")));
  }
}

TEST_F(HandshakeTest, SomethingElseThanOurProtocolIsRefused) {
  const std::string kRequest = "GET / HTTP/1.1\r\nHost: payments\r\n\r\n";
  const HandshakePreamble preamble{kHandshakeMagic, kLayoutVersion, 0};
  const std::string kCutShort(reinterpret_cast<const char*>(&preamble), sizeof(preamble) - 1);
  for (const std::string& garbage : {std::string("x"), std::string(15, '\0'), kCutShort, kRequest,
                                     std::string(32, '\xff'), std::string(100'000, 'z')}) {
    SendRaw(peers(), garbage.data(), garbage.size());
    EXPECT_THAT(ReceiveHello(ours(), TrustedUsers()),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         HasSubstr("the client does not speak grpc_cxl's protocol")));
    EXPECT_THAT(ReceiveWelcome(peers(), TrustedUsers()),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         HasSubstr("the client does not speak grpc_cxl's protocol")));
    SendRaw(peers(), garbage.data(), garbage.size());
    EXPECT_THAT(ReceiveWelcome(ours(), TrustedUsers()),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         HasSubstr("the server does not speak grpc_cxl's protocol")));
  }
}

TEST_F(HandshakeTest, MessagesOfAWrongSizeAreRefused) {
  char buffer[1024] = {};
  const HelloMessage hello = GoodHello();
  std::memcpy(buffer, &hello, sizeof(hello));
  for (size_t size :
       {sizeof(HandshakePreamble), sizeof(hello) - 1, sizeof(hello) + 1, sizeof(buffer)}) {
    SendRaw(peers(), buffer, size);
    EXPECT_THAT(ReceiveHello(ours(), TrustedUsers()),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         HasSubstr(absl::StrCat(size, " bytes instead of 32"))));
    EXPECT_THAT(ReceiveWelcome(peers(), TrustedUsers()),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         HasSubstr(absl::StrCat(size, " bytes instead of 32"))));
  }
  const WelcomeMessage welcome = GoodWelcome();
  std::memcpy(buffer, &welcome, sizeof(welcome));
  for (size_t size : {sizeof(HandshakePreamble), sizeof(welcome) - 1, sizeof(welcome) + 1}) {
    SendRaw(peers(), buffer, size, {file_.get()});
    EXPECT_THAT(ReceiveWelcome(ours(), TrustedUsers()),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         HasSubstr(absl::StrCat(size, " bytes instead of 320"))));
  }
}

TEST_F(HandshakeTest, EveryRefusalHasItsCodeAndItsReason) {
  const struct {
    Refusal refusal;
    absl::StatusCode code;
  } kCases[] = {
      {Refusal::kNotOurProtocol, absl::StatusCode::kFailedPrecondition},
      {Refusal::kVersion, absl::StatusCode::kFailedPrecondition},
      {Refusal::kUid, absl::StatusCode::kPermissionDenied},
      {Refusal::kConnectionLimit, absl::StatusCode::kResourceExhausted},
      {Refusal::kArenaBudget, absl::StatusCode::kResourceExhausted},
      {Refusal::kNoMemory, absl::StatusCode::kResourceExhausted},
      {Refusal::kShuttingDown, absl::StatusCode::kUnavailable},
      {static_cast<Refusal>(99), absl::StatusCode::kFailedPrecondition},
  };
  for (const auto& c : kCases) {
    EXPECT_THAT(Refused(c.refusal, "because \"payments\" is full"),
                StatusIs(c.code, HasSubstr("the server refused the connection: because "
                                           "\"payments\" is full")));
  }
}

TEST_F(HandshakeTest, AReasonIsBoundedAndPrintable) {
  EXPECT_THAT(
      Refused(Refusal::kUid, std::string(1000, 'r')),
      StatusIs(absl::StatusCode::kPermissionDenied, AllOf(HasSubstr(": " + std::string(255, 'r')),
                                                          Not(HasSubstr(std::string(256, 'r'))))));
  // Terminal escapes and line breaks of a peer do not reach our log.
  EXPECT_THAT(Refused(Refusal::kUid, "\x1b[2Jfake\nlog \xff line"),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("?[2Jfake?log ? line")));
  // A hostile server need not terminate it.
  WelcomeMessage unterminated = GoodWelcome();
  unterminated.refusal = static_cast<uint32_t>(Refusal::kUid);
  std::memset(unterminated.reason, 'u', sizeof(unterminated.reason));
  SendRaw(peers(), &unterminated, sizeof(unterminated));
  EXPECT_THAT(ReceiveWelcome(ours(), TrustedUsers()),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr(std::string(256, 'u'))));
}

TEST_F(HandshakeTest, AWelcomeComesWithExactlyOneFile) {
  const int before = CountOpenFiles();
  const WelcomeMessage welcome = GoodWelcome();
  SendRaw(peers(), &welcome, sizeof(welcome));
  EXPECT_THAT(
      ReceiveWelcome(ours(), TrustedUsers()),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("without the arena's file")));
  for (size_t count : {2, 3, 10, 253}) {
    SendRaw(peers(), &welcome, sizeof(welcome), std::vector<int>(count, file_.get()));
    EXPECT_THAT(ReceiveWelcome(ours(), TrustedUsers()),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("more than one file")))
        << count;
    EXPECT_EQ(CountOpenFiles(), before);
  }
}

TEST_F(HandshakeTest, FilesThatNobodyAskedForAreClosed) {
  const int before = CountOpenFiles();
  const std::vector<int> files(5, file_.get());
  const HelloMessage hello = GoodHello();
  SendRaw(peers(), &hello, sizeof(hello), files);
  EXPECT_THAT(ReceiveHello(ours(), TrustedUsers()), IsOk());
  EXPECT_EQ(CountOpenFiles(), before);

  for (Refusal refusal : {Refusal::kUid, Refusal::kNoMemory}) {
    WelcomeMessage welcome = GoodWelcome();
    welcome.refusal = static_cast<uint32_t>(refusal);
    SendRaw(peers(), &welcome, sizeof(welcome), files);
    EXPECT_THAT(ReceiveWelcome(ours(), TrustedUsers()), Not(IsOk()));
    EXPECT_EQ(CountOpenFiles(), before);
  }
  for (size_t size : {0, 1, 100}) {
    const std::string garbage(size, 'g');
    SendRaw(peers(), garbage.data(), size, files);
    EXPECT_THAT(ReceiveWelcome(ours(), TrustedUsers()), Not(IsOk()));
    EXPECT_EQ(CountOpenFiles(), before);
  }
  // One that is never read.
  SendRaw(peers(), &hello, sizeof(hello), files);
  sockets_.ours.Reset();
  sockets_.theirs.Reset();
  EXPECT_EQ(CountOpenFiles(), before - 2);
}

TEST_F(HandshakeTest, NoDescriptorLeftForTheArenaIsSaid) {
  ASSERT_THAT(SendWelcome(peers(), ArenaOffer(), file_.get()), IsOk());
  absl::Status status;
  {
    const NoMoreFiles full;
    status = ReceiveWelcome(ours(), TrustedUsers()).status();
  }
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("ulimit -n")));
}

TEST_F(HandshakeTest, APeerThatNeverReadsBlocksNobody) {
  absl::Status sent;
  for (int i = 0; i < 100'000 && sent.ok(); ++i) sent = SendHello(ours(), 0);
  EXPECT_THAT(sent, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("does not read")));
}

}  // namespace
}  // namespace grpc_cxl::internal
