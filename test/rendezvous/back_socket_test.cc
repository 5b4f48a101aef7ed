// SPDX-License-Identifier: Apache-2.0
// Proves that a line carries sockets for calls back, one way, a few at a time, and nothing else,
// whatever the peer does with it.
#include "grpc_cxl/rendezvous/back_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status_matchers.h"
#include "gmock/gmock.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "gtest/gtest.h"
#include "test/rendezvous/raw_peer.h"
#include "test/support/eventually.h"
#include "test/support/process_state.h"
#include "test/support/socket_pair.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(BackSocketTest, CarriesOneHandshakeAfterAnother) {
  const auto line = MakeLine();
  ASSERT_THAT(line, IsOk());
  EXPECT_FALSE(ReceiveBackSocket(line->peers.get())->has_value());
  for (int i = 0; i < 10; ++i) {
    const auto server = SendBackSocket(line->ours.get());
    ASSERT_THAT(server, IsOk());
    const auto client = ReceiveBackSocket(line->peers.get());
    ASSERT_THAT(client, IsOk());
    ASSERT_TRUE(client->has_value());
    ASSERT_THAT(SendHello(server->get(), kDirectCalls), IsOk());
    const auto hello = ReceiveHello((*client)->get(), {.everybody = true});
    ASSERT_THAT(hello, IsOk());
    EXPECT_EQ((*hello)->features, kDirectCalls);
  }
}

TEST(BackSocketTest, BothEndsAreBounded) {
  const int before = CountOpenFiles();
  {
    const auto line = MakeLine();
    int sent = 0;
    while (sent < 100 && SendBackSocket(line->ours.get()).ok()) ++sent;
    EXPECT_GT(sent, 0);
    EXPECT_LT(sent, 100);
    EXPECT_THAT(SendBackSocket(line->ours.get()), StatusIs(absl::StatusCode::kResourceExhausted));
    EXPECT_LT(send(line->peers.get(), "x", 1, MSG_NOSIGNAL), 0) << "the client wrote to the server";
  }
  EXPECT_TRUE(Eventually([&] { return CountOpenFiles() <= before; }));
}

TEST(BackSocketTest, ClosedEndsAreTold) {
  auto line = MakeLine();
  line->peers.Reset();
  EXPECT_THAT(SendBackSocket(line->ours.get()), StatusIs(absl::StatusCode::kUnavailable));
  line = MakeLine();
  line->ours.Reset();
  EXPECT_THAT(ReceiveBackSocket(line->peers.get()), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(BackSocketTest, TakesNothingElse) {
  const std::string honest = BytesOf(Honest<CallBackMessage>());
  const SocketPair pair, stream(SOCK_STREAM);
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  const UniqueFd alone(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const UniqueFd network(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int socket = pair.ours.get();
  const struct {
    std::string message;
    std::vector<int> files;
  } wrong[] = {
      {"w", {socket}},
      {honest + "x", {socket}},
      {honest, {}},
      {honest, {socket, socket}},
      {honest, std::vector<int>(253, socket)},
      {honest, {null.get()}},
      {honest, {stream.ours.get()}},
      {honest, {alone.get()}},
      {honest, {network.get()}},
  };
  const int before = CountOpenFiles();
  for (const auto& [message, files] : wrong) {
    const SocketPair line;
    SendRaw(line.theirs.get(), message, files);
    EXPECT_THAT(ReceiveBackSocket(line.ours.get()),
                StatusIs(absl::StatusCode::kFailedPrecondition, Not(HasSubstr("\n"))))
        << message.size() << " bytes, " << files.size() << " files";
  }
  EXPECT_TRUE(Eventually([&] { return CountOpenFiles() <= before; }));
}

TEST(BackSocketTest, TheWelcomeCarriesTheLineWhereBothWantIt) {
  const UniqueFd arena(open("/dev/null", O_RDWR | O_CLOEXEC));
  const auto line = MakeLine();
  for (const bool offered : {true, false}) {
    for (const bool sent : {true, false}) {
      const SocketPair pair;
      const uint32_t features = sent ? kServesBack : kNoFeatures;
      ASSERT_THAT(SendWelcome(pair.theirs.get(), {.features = features}, arena.get(),
                              sent ? line->peers.get() : -1),
                  IsOk());
      const auto welcome = ReceiveWelcome(pair.ours.get(), {}, offered ? kServesBack : kNoFeatures);
      ASSERT_EQ(welcome.ok(), offered || !sent) << welcome.status();
      EXPECT_EQ(welcome.ok() && (*welcome)->line, offered && sent);
    }
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
