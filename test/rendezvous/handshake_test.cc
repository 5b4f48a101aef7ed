// SPDX-License-Identifier: Apache-2.0
// Proves that two honest ends agree, and that every other message (short, long, garbage,
// another version, wrong descriptors, none at all) becomes a status with a clear text on
// both sides and leaves no descriptor behind. Who may meet whom:
// test/e2e/errors_test.cc.
#include "grpc_cxl/rendezvous/handshake.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/rendezvous/raw_peer.h"
#include "test/support/await_readable.h"
#include "test/support/eventually.h"
#include "test/support/lingering_socket.h"
#include "test/support/process_state.h"
#include "test/support/socket_pair.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::Not;

class HandshakeTest : public ::testing::Test {
 protected:
  int ours() const { return sockets_.ours.get(); }
  int peers() const { return sockets_.theirs.get(); }

  static WelcomeMessage Refusing(Refusal refusal) {
    WelcomeMessage welcome = Honest<WelcomeMessage>();
    welcome.refusal = static_cast<uint32_t>(refusal);
    return welcome;
  }

  // Sent to a server, `message` is refused with `text`, and the client is told the same.
  template <typename Text>
  void ExpectRefusedByServer(const std::string& message, const Text& text) {
    SendRaw(peers(), message);
    EXPECT_THAT(ReceiveHello(ours(), {}), StatusIs(absl::StatusCode::kFailedPrecondition, text));
    EXPECT_THAT(ReceiveWelcome(peers(), {}),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         AllOf(HasSubstr("the server refused the connection"), text)));
  }
  // Sent to a client, with a file for the arena.
  template <typename Text>
  void ExpectRefusedByClient(const std::string& message, const Text& text) {
    SendRaw(peers(), message, {file_.get()});
    EXPECT_THAT(ReceiveWelcome(ours(), {}), StatusIs(absl::StatusCode::kFailedPrecondition, text));
  }
  // What a client is told when the server says `text`.
  absl::Status Refused(Refusal refusal, const std::string& text) {
    SendRefusal(peers(), refusal, text);
    return ReceiveWelcome(ours(), {}).status();
  }

  const UniqueFd file_{open("/dev/null", O_RDWR | O_CLOEXEC)};  // stands for an arena
  SocketPair sockets_;
};

TEST_F(HandshakeTest, BothEndsLearnWhatTheOtherSaid) {
  ASSERT_THAT(SendHello(peers(), 0x5), IsOk());
  auto hello = ReceiveHello(ours(), {});
  ASSERT_THAT(hello, IsOk());
  ASSERT_TRUE(hello->has_value());
  EXPECT_EQ((*hello)->features, 0x5u);
  EXPECT_EQ((*hello)->peer.uid, geteuid());
  EXPECT_EQ((*hello)->peer.pid, getpid());
  EXPECT_EQ((*hello)->claimed_pid, static_cast<uint32_t>(getpid()));

  const ArenaOffer offer = {.arena_bytes = uint64_t{1} << 40,
                            .ring_bytes = 4096,
                            .payload_bytes = 8192,
                            .call_buffer_bytes = 16384,
                            .sealed = false,
                            .coherence = Coherence::kFlush,
                            .features = 0x4};
  ASSERT_THAT(SendWelcome(ours(), offer, file_.get()), IsOk());
  auto welcome = ReceiveWelcome(peers(), {});
  ASSERT_THAT(welcome, IsOk());
  ASSERT_TRUE(welcome->has_value());
  EXPECT_EQ((*welcome)->offer.arena_bytes, offer.arena_bytes);
  EXPECT_EQ((*welcome)->offer.ring_bytes, offer.ring_bytes);
  EXPECT_EQ((*welcome)->offer.payload_bytes, offer.payload_bytes);
  EXPECT_EQ((*welcome)->offer.call_buffer_bytes, offer.call_buffer_bytes);
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

TEST_F(HandshakeTest, NothingYetIsNoError) {
  ASSERT_EQ(fcntl(ours(), F_SETFL, 0), 0);  // also when the socket itself would block
  auto hello = ReceiveHello(ours(), {});
  ASSERT_THAT(hello, IsOk());
  EXPECT_FALSE(hello->has_value());
  auto welcome = ReceiveWelcome(ours(), {});
  ASSERT_THAT(welcome, IsOk());
  EXPECT_FALSE(welcome->has_value());
}

TEST_F(HandshakeTest, APeerThatLeavesIsUnavailable) {
  const auto left = StatusIs(absl::StatusCode::kUnavailable,
                             HasSubstr("closed the connection during the handshake"));
  ASSERT_THAT(SendHello(ours(), 0), IsOk());
  sockets_.theirs.Reset();
  EXPECT_THAT(ReceiveWelcome(ours(), {}), left);  // ECONNRESET: our bytes were not read
  EXPECT_THAT(ReceiveHello(ours(), {}), left);    // end-of-file
  EXPECT_THAT(ReceiveWelcome(ours(), {}), left);
  EXPECT_THAT(SendHello(ours(), 0), left);  // and no SIGPIPE
  EXPECT_THAT(SendWelcome(ours(), ArenaOffer(), file_.get()), left);
  SendRefusal(ours(), Refusal::kShuttingDown, "");
}

// Of another version only the first sixteen bytes count.
TEST_F(HandshakeTest, AnotherVersionIsRefusedAndTheTextsNameBoth) {
  for (const int step : {1, -1}) {
    const uint32_t other = kLayoutVersion + step;
    for (const size_t size : {16, 32, 320, 512}) {
      std::string message = BytesOf(HandshakePreamble{kHandshakeMagic, other, 0});
      message.resize(size);
      ExpectRefusedByServer(
          message,
          AllOf(HasSubstr(absl::StrCat("the client has version ", other)),
                HasSubstr(absl::StrCat("the server has version ", kLayoutVersion)),
                HasSubstr("build both with the same release"),
                HasSubstr(step > 0 ? "the server is the older" : "the client is the older")));
      ExpectRefusedByClient(
          message,
          AllOf(HasSubstr(absl::StrCat("the server has version ", other)),
                HasSubstr(absl::StrCat("the client has version ", kLayoutVersion)),
                HasSubstr("build both with the same release"),
                HasSubstr(step > 0 ? "the client is the older" : "the server is the older")));
    }
  }
}

TEST_F(HandshakeTest, SomethingElseThanOurProtocolIsRefused) {
  const std::string cut_short =
      BytesOf(HandshakePreamble{kHandshakeMagic, kLayoutVersion, 0}).substr(0, 15);
  for (const std::string& garbage :
       {std::string("x"), std::string(15, '\0'), cut_short, std::string(32, '\xff'),
        std::string("GET / HTTP/1.1\r\nHost: payments\r\n\r\n"), std::string(100'000, 'z')}) {
    ExpectRefusedByServer(garbage, HasSubstr("the client does not speak grpc_cxl's protocol"));
    ExpectRefusedByClient(garbage, HasSubstr("the server does not speak grpc_cxl's protocol"));
  }
}

TEST_F(HandshakeTest, MessagesOfAWrongSizeAreRefused) {
  for (const size_t size : {16, 31, 33, 1024}) {
    std::string hello = BytesOf(Honest<HelloMessage>());
    hello.resize(size);
    ExpectRefusedByServer(hello, HasSubstr(absl::StrCat(size, " bytes instead of 32")));
  }
  for (const size_t size : {16, 319, 321, 1024}) {
    std::string welcome = BytesOf(Honest<WelcomeMessage>());
    welcome.resize(size);
    ExpectRefusedByClient(welcome, HasSubstr(absl::StrCat(size, " bytes instead of 320")));
  }
}

TEST_F(HandshakeTest, AnUnknownKindOfCoherenceIsRefused) {
  WelcomeMessage welcome = Honest<WelcomeMessage>();
  welcome.coherence = 7;
  ExpectRefusedByClient(BytesOf(welcome), HasSubstr("wants coherence 7"));
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
    EXPECT_THAT(
        Refused(c.refusal, "because \"payments\" is full"),
        StatusIs(c.code, Eq("the server refused the connection: because \"payments\" is full")));
  }
}

TEST_F(HandshakeTest, AReasonIsBoundedAndPrintable) {
  EXPECT_THAT(
      Refused(Refusal::kUid, std::string(1000, 'r')).message(),
      AllOf(HasSubstr(": " + std::string(255, 'r')), Not(HasSubstr(std::string(256, 'r')))));
  // Terminal escapes and line breaks of a peer do not reach our log.
  EXPECT_THAT(Refused(Refusal::kUid, "\x1b[2Jfake\nlog \xff line").message(),
              HasSubstr("?[2Jfake?log ? line"));
  // A hostile server need not terminate it.
  WelcomeMessage unterminated = Refusing(Refusal::kUid);
  std::memset(unterminated.text, 'u', sizeof(unterminated.text));
  SendRaw(peers(), BytesOf(unterminated));
  EXPECT_THAT(ReceiveWelcome(ours(), {}).status().message(), HasSubstr(std::string(256, 'u')));
}

TEST_F(HandshakeTest, AWelcomeComesWithExactlyOneFileAndAllOthersAreClosed) {
  const int before = CountOpenFiles();
  const std::vector<int> files(253, file_.get());
  const std::string hello = BytesOf(Honest<HelloMessage>());
  const std::string welcome = BytesOf(Honest<WelcomeMessage>());
  const struct {
    std::string message;
    size_t files;
    const char* text;
  } kCases[] = {
      {welcome, 0, "without the arena's file"},
      {welcome, 2, "more than one file"},
      {welcome, 3, "more than one file"},
      {welcome, 253, "more than one file"},
      {BytesOf(Refusing(Refusal::kUid)), 5, "refused"},
      {BytesOf(Refusing(Refusal::kNoMemory)), 5, "refused"},
      {"", 5, ""},
      {"g", 5, "protocol"},
      {std::string(100, 'g'), 5, "protocol"},
  };
  for (const auto& c : kCases) {
    SendRaw(peers(), c.message, absl::MakeConstSpan(files).first(c.files));
    const absl::Status status = ReceiveWelcome(ours(), {}).status();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(status.message(), HasSubstr(c.text));
    EXPECT_TRUE(Eventually([&] { return CountOpenFiles() <= before; }))
        << c.files << " files with " << c.text;
  }
  SendRaw(peers(), hello, files);  // never read
  sockets_.ours.Reset();
  sockets_.theirs.Reset();
  EXPECT_TRUE(Eventually([&] { return CountOpenFiles() <= before - 2; }));
}

TEST_F(HandshakeTest, DescriptorsWithAHelloAreNeitherReceivedNorClosed) {
  UniqueFd reader;
  {
    const UniqueFd lingering = LingeringSocket(&reader);
    SendRaw(peers(), BytesOf(Honest<HelloMessage>()), {lingering.get()});
  }
  const auto start = std::chrono::steady_clock::now();
  const auto hello = ReceiveHello(ours(), {});
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  EXPECT_THAT(hello, StatusIs(absl::StatusCode::kFailedPrecondition,
                              HasSubstr("came with file descriptors")));
  reader.Reset();
}

// Of a hostile server, with the file of its own that it calls an arena.
TEST_F(HandshakeTest, DescriptorsWithAWelcomeAreNotClosedHere) {
  for (const size_t files : {1, 2, 253}) {
    UniqueFd reader;
    PassDescriptors(ours(), true);
    {
      const UniqueFd lingering = LingeringSocket(&reader);
      SendRaw(peers(), BytesOf(Refusing(Refusal::kNone)), std::vector<int>(files, lingering.get()));
    }
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(ReceiveWelcome(ours(), {}).ok(), files == 1);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
    reader.Reset();
    EXPECT_TRUE(Eventually([] { return !TooManyToClose(); }));
  }
}

TEST_F(HandshakeTest, WakeUpsMayFollowAWelcomeButNoFiles) {
  for (const bool file : {false, true}) {
    PassDescriptors(ours(), true);
    ASSERT_THAT(SendWelcome(peers(), ArenaOffer(), file_.get()), IsOk());
    SendRaw(peers(), "w");
    if (file) SendRaw(peers(), "w", {file_.get()});
    EXPECT_THAT(ReceiveWelcome(ours(), {}),
                StatusIs(file ? absl::StatusCode::kFailedPrecondition : absl::StatusCode::kOk));
  }
}

// Sixteen lingering sockets stop the threads that close, but no fewer do; the others wait behind
// them.
TEST_F(HandshakeTest, AClientWithTooManyFilesToCloseTakesNoMore) {
  UniqueFd readers[16];
  const auto start = std::chrono::steady_clock::now();
  for (UniqueFd& reader : readers) {
    SocketPair other;
    CloseElsewhere(std::move(other.theirs));
    EXPECT_TRUE(AwaitReadable(other.ours.get())) << "closed beside those that linger";
    CloseElsewhere(LingeringSocket(&reader));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  for (int i = 0; i < 64; ++i) CloseElsewhere(UniqueFd(dup(file_.get())));
  ASSERT_THAT(SendWelcome(peers(), ArenaOffer(), file_.get()), IsOk());
  EXPECT_THAT(ReceiveWelcome(ours(), {}), StatusIs(absl::StatusCode::kResourceExhausted));
  for (UniqueFd& reader : readers) reader.Reset();
  EXPECT_TRUE(Eventually([&] { return ReceiveWelcome(ours(), {}).ok(); }));
}

TEST_F(HandshakeTest, NoDescriptorLeftForTheArenaIsSaid) {
  ASSERT_THAT(SendWelcome(peers(), ArenaOffer(), file_.get()), IsOk());
  absl::Status status;
  {
    const NoMoreFiles full;
    status = ReceiveWelcome(ours(), {}).status();
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
