// SPDX-License-Identifier: Apache-2.0

// A server that speaks the handshake by hand does with its lines whatever it likes: the client,
// which is this process, takes honest calls back, few connections at a time, and nothing else,
// makes lines at its own pace, and keeps nothing.

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/link/link_layout.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/line.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "grpc_cxl/serve_back.h"
#include "grpc_cxl/server_builder.h"
#include "test/e2e/echo_service.h"
#include "test/rendezvous/at.h"
#include "test/rendezvous/raw_peer.h"
#include "test/support/await_readable.h"
#include "test/support/eventually.h"
#include "test/support/process_state.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::e2e {
namespace {

using internal::AwaitReadable;
using internal::CountOpenFiles;
using internal::Eventually;
using internal::NameListener;
using internal::UniqueFd;

NameListener ListenIn(const std::string& directory, const std::string& name) {
  auto listener =
      NameListener::Listen(internal::At(directory), *internal::ServiceName::Parse(name));
  CHECK_OK(listener);
  return *std::move(listener);
}

class ServeBackHostileTest : public ::testing::Test {
 protected:
  ServeBackHostileTest()
      : listener_(ListenIn(directory_.path(), "hostile")),
        service_(EchoService::Make(ServerApi::kCallback)) {
    ServerBuilder builder;
    service_->Register(&builder);
    server_ = builder.BuildAndStart();
    CHECK(server_ != nullptr);
    grpc::ChannelArguments arguments;
    CHECK_OK(ServeBack(*server_, &arguments));
    ChannelOptions options;
    options.rendezvous_directory = directory_.path();
    channel_ = grpc::CreateCustomChannel("cxl:///hostile", ChannelCredentials(options), arguments);
  }

  // The first connection; its client makes lines at `line_name`.
  void Accept(const std::string& line_name = "") {
    channel_->GetState(/*try_to_connect=*/true);
    socket_ = NextSocket(listener_);
    const auto hello = internal::ReceiveHello(socket_.get(), {});
    CHECK_OK(hello);
    CHECK_NE((*hello)->features & internal::kServesBack, 0u);
    key_ = (*hello)->line_key;
    const auto arena = internal::Arena::Create(internal::ArenaBytes({.ring_bytes = 4 << 10}), {});
    CHECK_OK(arena);
    CHECK_OK(internal::SendWelcome(socket_.get(),
                                   {.arena_bytes = arena->size(),
                                    .ring_bytes = 4 << 10,
                                    .sealed = arena->sealed(),
                                    .features = internal::kServesBack,
                                    .line_name = line_name},
                                   arena->fd()));
  }

  // A socket on which the client has said something.
  static UniqueFd NextSocket(NameListener& listener) {
    CHECK(AwaitReadable(listener.fd()));
    auto socket = listener.Accept();
    CHECK_OK(socket);
    CHECK(AwaitReadable(socket->get()));
    return *std::move(socket);
  }
  UniqueFd NextLine(NameListener& listener) {
    UniqueFd line = NextSocket(listener);
    const auto hello = internal::ReceiveHello(line.get(), {});
    EXPECT_TRUE(hello.ok()) << hello.status();
    EXPECT_TRUE(hello.ok() && (*hello)->claim == internal::ClaimOf(key_));
    return line;
  }
  UniqueFd NextLine() { return NextLine(listener_); }
  bool HasLine() {
    const auto socket = listener_.Accept();
    return socket.ok() && *socket;
  }

  // Whether a connection back is made on `line` as an honest server makes it.
  bool ConnectsBack(const UniqueFd& line) {
    if (!internal::SendHello(line.get(), internal::kNoFeatures, key_).ok()) return false;
    if (!AwaitReadable(line.get())) return false;
    const auto welcome = internal::ReceiveWelcome(line.get(), {.everybody = true});
    return welcome.ok() && welcome->has_value();
  }
  void ExpectServed() { EXPECT_TRUE(ConnectsBack(NextLine())); }
  // The first connection goes on.
  void ExpectConnected() {
    char byte;
    EXPECT_LT(recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT), 0);
  }

  const internal::TemporaryDirectory directory_;
  NameListener listener_;
  const std::unique_ptr<EchoService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  UniqueFd socket_;
  internal::LineKey key_;
};

TEST_F(ServeBackHostileTest, OneConnectionAfterAnotherIsTakenAndGivenBack) {
  Accept();
  ExpectServed();
  const int files = CountOpenFiles();
  for (int i = 0; i < 3; ++i) {
    ExpectServed();
    // Its end has been noticed; but for the next line.
    ASSERT_TRUE(Eventually([&] { return CountOpenFiles() <= files + 1; })) << CountOpenFiles();
  }
}

TEST_F(ServeBackHostileTest, AFewConnectionsAtATime) {
  Accept();
  std::vector<UniqueFd> held;
  for (int i = 0; i < 8; ++i) {
    held.push_back(NextLine());
    ASSERT_TRUE(ConnectsBack(held.back())) << i;
  }
  absl::SleepFor(absl::Milliseconds(300));  // a ninth would have been made thrice
  EXPECT_FALSE(HasLine());
  held.pop_back();
  held.push_back(NextLine());
  EXPECT_TRUE(ConnectsBack(held.back()));
  ExpectConnected();
}

TEST_F(ServeBackHostileTest, WhoClosesLinesWaitsEverLongerForTheNext) {
  Accept();
  const absl::Time begin = absl::Now();
  for (int i = 0; i < 4; ++i) NextLine();
  EXPECT_GE(absl::Now() - begin, absl::Milliseconds(700));  // 100 + 200 + 400
  ExpectServed();
  ExpectConnected();
}

// Each costs the client an arena.
TEST_F(ServeBackHostileTest, WhoEndsConnectionsAtOnceWaitsEverLongerForTheNext) {
  Accept();
  ExpectServed();
  const absl::Time begin = absl::Now();
  for (int i = 0; i < 4; ++i) ExpectServed();
  // 100 + 200 + 400 + 800, or less where an end was noticed after the next hello.
  EXPECT_GE(absl::Now() - begin, absl::Milliseconds(700));
  ExpectConnected();
}

TEST_F(ServeBackHostileTest, WhoTakesALineAndSaysNothingHasOne) {
  Accept();
  const UniqueFd silent = NextLine();
  const int files = CountOpenFiles();
  absl::SleepFor(absl::Milliseconds(500));
  EXPECT_FALSE(HasLine());
  EXPECT_LE(CountOpenFiles(), files);
  EXPECT_TRUE(ConnectsBack(silent)) << "however late";
}

TEST_F(ServeBackHostileTest, NonsenseOnALineHurtsNobody) {
  Accept();
  const std::string honest = internal::BytesOf(internal::Honest<internal::HelloMessage>());
  std::string successor = honest.substr(0, 24);
  successor[20] = 1;
  for (const std::string& nonsense :
       {std::string("GET / HTTP/1.1\r\n\r\n"), successor, honest /* without the key */}) {
    const UniqueFd line = NextLine();
    internal::SendRaw(line.get(), nonsense);
    ASSERT_TRUE(AwaitReadable(line.get()));
    EXPECT_FALSE(internal::ReceiveWelcome(line.get(), {}).ok());
  }
  ExpectServed();
  ExpectConnected();
}

TEST_F(ServeBackHostileTest, AKeyOfAnotherConnectionIsNone) {
  Accept();
  const UniqueFd line = NextLine();
  key_ = internal::LineKey::Fresh();
  EXPECT_FALSE(ConnectsBack(line));
}

TEST_F(ServeBackHostileTest, LinesBeginWhereTheWelcomeSays) {
  NameListener other = ListenIn(directory_.path(), "other");
  Accept("other");
  EXPECT_TRUE(ConnectsBack(NextLine(other)));
  ExpectConnected();
}

TEST_F(ServeBackHostileTest, LinesComeAgainWhenTheNameDoes) {
  Accept();
  const UniqueFd line = NextLine();
  listener_ = ListenIn(directory_.path(), "elsewhere");
  EXPECT_TRUE(ConnectsBack(line));
  absl::SleepFor(absl::Milliseconds(300));  // the next line finds no name
  listener_ = ListenIn(directory_.path(), "hostile");
  ExpectServed();
}

TEST_F(ServeBackHostileTest, TheFirstConnectionTakesThoseBackAlong) {
  Accept();
  const UniqueFd back = NextLine();
  ASSERT_TRUE(ConnectsBack(back));
  const UniqueFd line = NextLine();
  socket_.Reset();
  char byte;
  EXPECT_TRUE(Eventually([&] { return recv(back.get(), &byte, 1, MSG_DONTWAIT) == 0; }));
  EXPECT_TRUE(Eventually([&] { return recv(line.get(), &byte, 1, MSG_DONTWAIT) == 0; }));
}

TEST_F(ServeBackHostileTest, WhenTheClientsServerHasEndedEachHelloIsRefused) {
  Accept();
  server_->Shutdown(std::chrono::system_clock::now());
  for (const bool gone : {false, true}) {
    if (gone) server_ = nullptr;
    const UniqueFd line = NextLine();
    ASSERT_TRUE(internal::SendHello(line.get(), internal::kNoFeatures, key_).ok());
    ASSERT_TRUE(AwaitReadable(line.get()));
    EXPECT_TRUE(absl::IsUnavailable(internal::ReceiveWelcome(line.get(), {}).status())) << gone;
  }
  ExpectConnected();
}

}  // namespace
}  // namespace grpc_cxl::e2e
