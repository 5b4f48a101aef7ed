// SPDX-License-Identifier: Apache-2.0

// A server that speaks the handshake by hand does with the line back whatever it likes: the client,
// which is this process, takes honest sockets, few at a time, and nothing else, and keeps nothing.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/time/time.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/channel_credentials.h"
#include "grpc_cxl/link/link_layout.h"
#include "grpc_cxl/rendezvous/back_socket.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "grpc_cxl/serve_back.h"
#include "grpc_cxl/server_builder.h"
#include "test/e2e/echo_service.h"
#include "test/rendezvous/at.h"
#include "test/rendezvous/raw_peer.h"
#include "test/support/await_readable.h"
#include "test/support/eventually.h"
#include "test/support/process_state.h"
#include "test/support/socket_pair.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::e2e {
namespace {

using internal::AwaitReadable;
using internal::CountOpenFiles;
using internal::Eventually;
using internal::SocketPair;
using internal::UniqueFd;

class ServeBackHostileTest : public ::testing::Test {
 protected:
  ServeBackHostileTest()
      : listener_(internal::NameListener::Listen(internal::At(directory_.path()),
                                                 *internal::ServiceName::Parse("hostile"))),
        service_(EchoService::Make(ServerApi::kCallback)) {
    CHECK_OK(listener_);
    ServerBuilder builder;
    service_->Register(&builder);
    server_ = builder.BuildAndStart();
    CHECK(server_ != nullptr);
    grpc::ChannelArguments arguments;
    CHECK_OK(ServeBack(*server_, &arguments));
    ChannelOptions options;
    options.rendezvous_directory = directory_.path();
    channel_ = grpc::CreateCustomChannel("cxl:///hostile", ChannelCredentials(options), arguments);
    channel_->GetState(/*try_to_connect=*/true);
    CHECK(AwaitReadable(listener_->fd()));
    auto socket = listener_->Accept();
    CHECK_OK(socket);
    socket_ = *std::move(socket);
    CHECK(AwaitReadable(socket_.get()));
    const auto hello = internal::ReceiveHello(socket_.get(), {});
    CHECK_OK(hello);
    CHECK_NE((*hello)->features & internal::kServesBack, 0u);
    const auto arena = internal::Arena::Create(internal::ArenaBytes({.ring_bytes = 4 << 10}), {});
    CHECK_OK(arena);
    auto line = internal::MakeLine();
    CHECK_OK(line);
    line_ = std::move(line->ours);
    const internal::ArenaOffer offer{.arena_bytes = arena->size(),
                                     .ring_bytes = 4 << 10,
                                     .sealed = arena->sealed(),
                                     .features = internal::kServesBack};
    CHECK_OK(internal::SendWelcome(socket_.get(), offer, arena->fd(), line->peers.get()));
  }

  // The socket of a connection back, made as an honest server does; empty when the client takes
  // none.
  UniqueFd ConnectBack() {
    auto socket = internal::SendBackSocket(line_.get());
    if (!socket.ok()) return UniqueFd();
    if (!internal::SendHello(socket->get(), internal::kNoFeatures).ok()) return UniqueFd();
    if (!AwaitReadable(socket->get())) return UniqueFd();
    const auto welcome = internal::ReceiveWelcome(socket->get(), {.everybody = true});
    return welcome.ok() && welcome->has_value() ? *std::move(socket) : UniqueFd();
  }
  void ExpectServed() { EXPECT_TRUE(ConnectBack()); }
  void ExpectLineClosed() {
    EXPECT_TRUE(Eventually([&] { return !internal::SendBackSocket(line_.get()).ok(); }));
  }
  // The first connection goes on.
  void ExpectConnected() {
    char byte;
    EXPECT_LT(recv(socket_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT), 0);
  }

  const internal::TemporaryDirectory directory_;
  absl::StatusOr<internal::NameListener> listener_;
  const std::unique_ptr<EchoService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  UniqueFd socket_, line_;
};

TEST_F(ServeBackHostileTest, OneConnectionAfterAnotherIsTakenAndGivenBack) {
  ExpectServed();
  const int files = CountOpenFiles();
  for (int i = 0; i < 30; ++i) {
    ExpectServed();
    // Its end has been noticed.
    ASSERT_TRUE(Eventually([&] { return CountOpenFiles() <= files; })) << CountOpenFiles();
  }
}

TEST_F(ServeBackHostileTest, AFewConnectionsAtATime) {
  std::vector<UniqueFd> held;
  for (int i = 0; i < 20; ++i) {
    if (UniqueFd socket = ConnectBack()) held.push_back(std::move(socket));
  }
  EXPECT_GE(held.size(), 4u);
  EXPECT_LE(held.size(), 8u);
  held.clear();
  EXPECT_TRUE(Eventually([&] { return static_cast<bool>(ConnectBack()); }));
}

TEST_F(ServeBackHostileTest, AThousandSocketsAreTooMany) {
  ExpectServed();
  const int files = CountOpenFiles();
  std::vector<UniqueFd> sockets;
  for (int i = 0; i < 1000; ++i) {
    auto socket = internal::SendBackSocket(line_.get());
    if (absl::IsUnavailable(socket.status())) break;  // the client has had enough
    if (socket.ok()) sockets.push_back(*std::move(socket));
  }
  // Of each that we still hold, the client has closed its own, but for a few.
  EXPECT_TRUE(Eventually([&] {
    return CountOpenFiles() <= files + static_cast<int>(sockets.size()) + 10;
  })) << CountOpenFiles() - files
      << " more files, " << sockets.size() << " of them ours";
  ExpectConnected();
  const size_t ours = sockets.size();
  sockets.clear();
  EXPECT_TRUE(Eventually([&] { return CountOpenFiles() <= files; })) << ours;
}

TEST_F(ServeBackHostileTest, AConnectionThatSaysNonsenseHurtsNobody) {
  for (const std::string& nonsense :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(1, '\0'),
        internal::BytesOf(internal::Honest<internal::HelloMessage>()).substr(0, 24)}) {
    const auto socket = internal::SendBackSocket(line_.get());
    ASSERT_TRUE(socket.ok());
    internal::SendRaw(socket->get(), nonsense);
    EXPECT_TRUE(AwaitReadable(socket->get()));
  }
  {
    // A message that only a successor sends, who wants the name.
    std::string take_over = internal::BytesOf(internal::Honest<internal::HelloMessage>());
    take_over.resize(24);
    take_over[20] = 1;
    const auto socket = internal::SendBackSocket(line_.get());
    ASSERT_TRUE(socket.ok());
    internal::SendRaw(socket->get(), take_over);
    EXPECT_TRUE(AwaitReadable(socket->get()));
  }
  ExpectServed();
  ExpectConnected();
}

TEST_F(ServeBackHostileTest, WhateverElseComesEndsTheLine) {
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  internal::SendRaw(line_.get(), internal::BytesOf(internal::Honest<internal::CallBackMessage>()),
                    std::vector<int>(50, null.get()));
  ExpectLineClosed();
  ExpectConnected();
}

TEST_F(ServeBackHostileTest, TheFirstConnectionTakesThoseBackAlong) {
  const UniqueFd back = ConnectBack();
  ASSERT_TRUE(back);
  socket_.Reset();
  char byte;
  EXPECT_TRUE(Eventually([&] { return recv(back.get(), &byte, 1, MSG_DONTWAIT) == 0; }));
}

}  // namespace
}  // namespace grpc_cxl::e2e
