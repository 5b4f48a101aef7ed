// SPDX-License-Identifier: Apache-2.0
// Proves that two ends with one secret believe each other, and that nobody else is believed: who
// has no secret, another one, a proof for another name, process or connection, or a client's proof
// sent back to it. Neither end receives a file before the proof. Who may read the secret's file.
#include "grpc_cxl/rendezvous/secret_exchange.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <tuple>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/process_number.h"
#include "gtest/gtest.h"
#include "test/rendezvous/raw_peer.h"
#include "test/support/await_readable.h"
#include "test/support/forked_child.h"
#include "test/support/process_state.h"
#include "test/support/socket_pair.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

class SecretExchangeTest : public ::testing::Test {
 protected:
  absl::StatusOr<SharedSecret> Read(const std::string& bytes, mode_t mode = 0600) const {
    const std::string path = directory_.path() + "/secret";
    unlink(path.c_str());
    std::ofstream(path) << bytes;
    CHECK_EQ(chmod(path.c_str(), mode), 0);
    return SharedSecret::Read(path);
  }
  int server() const { return sockets_.ours.get(); }
  int client() const { return sockets_.theirs.get(); }

  // Up to the server's verdict; then the client's.
  absl::StatusOr<bool> Prove(ServerExchange& server_end, ClientExchange& client_end) const {
    CHECK_OK(server_end.SendChallenge(server()));
    CHECK_OK(client_end.Advance(client()));
    return server_end.ReceiveProof(server());
  }
  void ExpectRefused(ServerExchange server_end, ClientExchange client_end) const {
    const auto refused = StatusIs(absl::StatusCode::kPermissionDenied,
                                  HasSubstr("the client's shared secret is another one"));
    EXPECT_THAT(Prove(server_end, client_end), refused);
    EXPECT_THAT(client_end.Advance(client()), refused);
  }
  template <typename Message>
  static Message ReceiveRaw(int socket) {
    Message message;
    PCHECK(recv(socket, &message, sizeof(message), 0) == sizeof(message));
    return message;
  }

  const TemporaryDirectory directory_;
  const SocketPair sockets_;
  const SharedSecret secret_ = *Read("correct horse battery staple\n");
  const SharedSecret other_ = *Read("incorrect horse battery staple");
};

TEST_F(SecretExchangeTest, TwoEndsWithOneSecret) {
  ServerExchange server_end(secret_, "payments");
  ClientExchange client_end(*Read("correct horse battery staple", 0440), "payments");
  EXPECT_THAT(client_end.Advance(client()), IsOkAndHolds(false));  // nothing yet
  EXPECT_THAT(Prove(server_end, client_end), IsOkAndHolds(true));
  EXPECT_THAT(client_end.Advance(client()), IsOkAndHolds(true));
}

TEST_F(SecretExchangeTest, AnotherSecretOrNameIsRefused) {
  ExpectRefused(ServerExchange(secret_, "payments"), ClientExchange(other_, "payments"));
  ExpectRefused(ServerExchange(secret_, "payments"), ClientExchange(secret_, "orders"));
}

TEST_F(SecretExchangeTest, ServersWithoutTheSecretAreNotBelieved) {
  const UniqueFd file(dup(STDERR_FILENO));
  const auto open_files = CountOpenFiles();
  for (const bool reflect : {true, false}) {
    ClientExchange client_end(secret_, "payments");
    SendRaw(server(), BytesOf(Honest<ChallengeMessage>()));
    EXPECT_THAT(client_end.Advance(client()), IsOkAndHolds(false));
    auto answer = Honest<ServerProofMessage>();
    const auto proof = ReceiveRaw<ClientProofMessage>(server());
    if (reflect) std::copy(std::begin(proof.proof), std::end(proof.proof), answer.proof);
    SendRaw(server(), BytesOf(answer));
    EXPECT_THAT(client_end.Advance(client()),
                StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("server's shared secret")));
  }
  // A Welcome at once.
  SendRaw(server(), BytesOf(Honest<WelcomeMessage>()));
  EXPECT_THAT(ClientExchange(secret_, "payments").Advance(client()),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("the server has none")));
  SendRaw(server(), BytesOf(Honest<WelcomeMessage>()), {file.get()});
  EXPECT_THAT(ClientExchange(secret_, "payments").Advance(client()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("file descriptors")));
  EXPECT_EQ(CountOpenFiles(), open_files);
}

TEST_F(SecretExchangeTest, NonsenseAndOldProofsAreRefused) {
  ServerExchange recorded(secret_, "payments"), server_end(secret_, "payments");
  CHECK_OK(recorded.SendChallenge(server()));
  EXPECT_THAT(ClientExchange(secret_, "payments").Advance(client()), IsOkAndHolds(false));
  const std::string old = BytesOf(ReceiveRaw<ClientProofMessage>(server()));
  CHECK_OK(server_end.SendChallenge(server()));
  SendRaw(client(), old);
  EXPECT_THAT(server_end.ReceiveProof(server()), StatusIs(absl::StatusCode::kPermissionDenied));
  for (const std::string& bytes : {old.substr(1), old + "x", std::string(320, '\0')}) {
    SendRaw(client(), bytes);
    EXPECT_THAT(server_end.ReceiveProof(server()), StatusIs(absl::StatusCode::kFailedPrecondition));
  }
  SendRaw(client(), old, {STDERR_FILENO});
  EXPECT_THAT(server_end.ReceiveProof(server()), StatusIs(absl::StatusCode::kFailedPrecondition));
}

// Both ends of the pair belong to this process, so a server elsewhere is not the client's peer.
TEST_F(SecretExchangeTest, AProofCannotBePassedOn) {
  const auto number = [] { return absl::StrCat(OwnProcessNumber().value()); };
  if (ForkedChild(number).Join() == number()) GTEST_SKIP() << "processes have no numbers here";
  ForkedChild relayed([&] {
    ServerExchange server_end(secret_, "payments");
    CHECK_OK(server_end.SendChallenge(server()));
    CHECK(AwaitReadable(server()));
    return server_end.ReceiveProof(server()).status().ToString();
  });
  CHECK(AwaitReadable(client()));
  ClientExchange client_end(secret_, "payments");
  client_end.Advance(client()).IgnoreError();  // the refusal may have come already
  EXPECT_THAT(relayed.Join(), HasSubstr("the client's shared secret is another one"));
}

TEST_F(SecretExchangeTest, BothEndsMustAskForIt) {
  TrustedUsers with, without;
  with.secret = secret_;
  for (const auto& [users, features, text] :
       {std::tuple(with, kNoFeatures, "the client has none"),
        std::tuple(without, kSharedSecret, "the server has none")}) {
    CHECK_OK(SendHello(client(), features));
    const auto refused = StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr(text));
    EXPECT_THAT(ReceiveHello(server(), users), refused);
    EXPECT_THAT(ReceiveWelcome(client(), {}), refused);
  }
}

TEST_F(SecretExchangeTest, FilesThatKeepNoSecret) {
  const std::string good(16, 'x');
  EXPECT_EQ(*Read(good), *Read(good + "\n", 0640));
  EXPECT_THAT(Read(good.substr(1) + "\n"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("16 to 4096 bytes")));
  EXPECT_THAT(Read(std::string(4097, 'x')), StatusIs(absl::StatusCode::kFailedPrecondition));
  for (const mode_t mode : {0604, 0620}) {
    EXPECT_THAT(Read(good, mode), StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("600")));
  }
  EXPECT_THAT(SharedSecret::Read(directory_.path()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("not a regular file")));
  EXPECT_THAT(SharedSecret::Read(directory_.path() + "/none"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("GRPC_CXL_SECRET_FILE")));
  if (const std::string why = WhyNoOtherUser(); !why.empty()) GTEST_SKIP() << why;
  CHECK_OK(Read(good));
  CHECK_EQ(chown((directory_.path() + "/secret").c_str(), kNobody, -1), 0);
  EXPECT_THAT(SharedSecret::Read(directory_.path() + "/secret"),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("belongs to uid 65534")));
}

}  // namespace
}  // namespace grpc_cxl::internal
