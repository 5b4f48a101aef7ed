// SPDX-License-Identifier: Apache-2.0
// Proves that clients which misbehave in the handshake hurt only themselves: clients that
// say nothing, or leave, die before or after any of their system calls, or come in crowds
// (nonsense: protocol_test); that a server without free descriptors goes on as soon as it has some;
// and that a server which stops meanwhile lets all of them go. Afterwards everything is where it
// was.

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/status/status_matchers.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "gtest/gtest.h"
#include "test/endpoint/endpoint_pair.h"
#include "test/event_engine/test_server.h"
#include "test/rendezvous/at.h"
#include "test/support/await_readable.h"
#include "test/support/eventually.h"
#include "test/support/forked_child.h"
#include "test/support/process_state.h"
#include "test/support/stepped_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

class AcceptorTest : public EngineTest {
 protected:
  // The limit of connections is 4: a lease that stayed out would show at once.
  AcceptorTest() {
    server_options_.max_connections = 4;
    Start(server_);
    ExpectServed();  // opens what stays open
    files_ = CountOpenFiles();
  }

  // A client that keeps to no protocol.
  UniqueFd DialRaw() const {
    absl::StatusOr<UniqueFd> socket = Dial(At(directory_.path()), name_);
    CHECK_OK(socket);
    return *std::move(socket);
  }

  // Clients that say nothing; a process that stays with them.
  std::vector<UniqueFd> Silent(const std::string& directory, size_t count) const {
    const RendezvousDirectory at = At(directory);
    std::vector<UniqueFd> sockets;
    while (sockets.size() < count) {
      absl::StatusOr<UniqueFd> socket = Dial(at, name_);
      if (socket.ok()) sockets.push_back(*std::move(socket));
    }
    return sockets;
  }
  static std::string Stay(const std::vector<UniqueFd>&) {
    raise(SIGSTOP);
    pause();
    return "";
  }

  // The handshake of a client, from beginning to end.
  std::string ShakeHands() const {
    const UniqueFd socket = DialRaw();
    CHECK_OK(SendHello(socket.get(), kNoFeatures));
    CHECK(AwaitReadable(socket.get()));
    return ReceiveWelcome(socket.get(), {}).status().ToString();
  }

  // The outline of a server that serves one client of "mortal".
  std::string ServeOne() const {
    auto listener = NameListener::Listen(At(directory_.path()), *ServiceName::Parse("mortal"));
    CHECK_OK(listener);
    CHECK(AwaitReadable(listener->fd()));
    const absl::StatusOr<UniqueFd> socket = listener->Accept();
    CHECK_OK(socket);
    CHECK(AwaitReadable(socket->get()));
    CHECK_OK(ReceiveHello(socket->get(), {}));
    const absl::StatusOr<Arena> arena = Arena::Create(ArenaBytes({.ring_bytes = 4 << 10}), {});
    CHECK_OK(arena);
    const ArenaOffer offer{
        .arena_bytes = arena->size(), .ring_bytes = 4 << 10, .sealed = arena->sealed()};
    return SendWelcome(socket->get(), offer, arena->fd()).ToString();
  }

  // An ordinary client is served; returns when all of it is gone again.
  void ExpectServed() {
    ExpectHello(server_, kPayments);
    ASSERT_TRUE(Eventually([] { return CountArenas() == 0; }));
  }

  void ExpectNothingLeft() {
    EXPECT_TRUE(Eventually([&] {
      while (server_.Accept(absl::ZeroDuration()) != nullptr) {
      }
      return CountOpenFiles() <= files_ && CountArenas() == 0;
    })) << CountOpenFiles()
        << " files open instead of " << files_ << ", " << CountArenas() << " arenas";
  }

  const ServiceName name_ = *ServiceName::Parse("payments");
  TestServer server_;
  int files_ = 0;
};

TEST_F(AcceptorTest, ClientsThatLeaveAtOnce) {
  for (int i = 0; i < 500; ++i) DialRaw();
  ExpectServed();
  ExpectNothingLeft();
}

TEST_F(AcceptorTest, ClientsThatAreKilledAtAnyStep) {
  if (const std::string why = SteppedChild::WhyNot(); !why.empty()) GTEST_SKIP() << why;
  int steps = 0;
  for (bool ended = false; !ended && !HasFailure(); ++steps) {
    SteppedChild client([&] { return ShakeHands(); });
    ended = !client.Step(steps);
    if (ended) {
      EXPECT_EQ(client.Finish(), "OK") << "the client itself did not work";
    }
    client.Kill();
    ExpectNothingLeft();
    ExpectServed();
  }
  EXPECT_GT(steps, 10);
}

// The same for a server, of which the outline will do here. Its client, an ordinary one that
// tries again and again, gets an answer to every attempt: an error, or an endpoint that ends.
TEST_F(AcceptorTest, ServersThatAreKilledAtAnyStep) {
  if (const std::string why = SteppedChild::WhyNot(); !why.empty()) GTEST_SKIP() << why;
  int steps = 0, connections = 0;
  for (bool ended = false; !ended && !HasFailure(); ++steps) {
    SteppedChild server([&] { return ServeOne(); });
    std::atomic<bool> stop{false};
    std::thread client([&] {
      while (!stop) {
        const auto endpoint = ConnectTo("cxl:///mortal", channel_options_);
        if (!endpoint.ok()) continue;
        ++connections;
        EXPECT_FALSE(ReadOnce(**endpoint).ok());
      }
    });
    ended = !server.Step(steps);
    if (ended) {
      EXPECT_EQ(server.Finish(), "OK") << "the server itself did not work";
    }
    server.Kill();
    stop = true;
    client.join();
    ExpectNothingLeft();
  }
  EXPECT_GT(steps, 20);
  EXPECT_GT(connections, 0);
}

TEST_F(AcceptorTest, ClientsThatSayNothingAreDroppedAfterAWhile) {
  const auto start = std::chrono::steady_clock::now();
  {
    const UniqueFd silent = DialRaw();
    ASSERT_TRUE(AwaitReadable(silent.get()));
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
    char byte;
    EXPECT_EQ(recv(silent.get(), &byte, 1, 0), 0);
  }
  ExpectNothingLeft();
}

// Of our own user and of a stranger: a client that does say hello is served at once.
TEST_F(AcceptorTest, ACrowdOfSilentClientsHarmsNobody) {
  const TemporaryDirectory open("/tmp");
  ASSERT_EQ(chmod(open.path().c_str(), 0711), 0);
  server_options_.rendezvous_directory = channel_options_.rendezvous_directory = open.path();
  server_options_.max_connections = 1000;
  TestServer server;
  Start(server);
  for (const uid_t user : {geteuid(), OrdinaryUser()}) {
    ForkedChild crowd(user, [&] { return Stay(Silent(open.path(), 1000)); });
    crowd.AwaitStopAndContinue();
    const auto start = std::chrono::steady_clock::now();
    ExpectHello(server, kPayments);
    EXPECT_TRUE(Eventually([&] { return CountOpenFiles() < files_ + 200; }));
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  }
  server.Shutdown();
  ExpectNothingLeft();
}

// A process that connects all the time and says nothing takes its own places: clients of the same
// user are served, however long they take to say hello.
TEST_F(AcceptorTest, ASilentProcessGivesWayToOthersOfItsUser) {
  ForkedChild silent([&] {
    raise(SIGSTOP);
    return Stay(Silent(directory_.path(), 200));
  });
  const UniqueFd slow = DialRaw();
  silent.AwaitStopAndContinue();
  silent.AwaitStopAndContinue();
  ExpectHello(server_, kPayments);  // accepted after all of them
  ASSERT_THAT(SendHello(slow.get(), kNoFeatures), IsOk());
  ASSERT_TRUE(AwaitReadable(slow.get()));
  EXPECT_THAT(ReceiveWelcome(slow.get(), {}).status(), IsOk());
}

// Where the kernel can forbid it, a client cannot even send a descriptor.
TEST_F(AcceptorTest, DescriptorsAreNotTaken) {
  const UniqueFd client = DialRaw();
  int passes = 0;
  socklen_t size = sizeof(passes);
  constexpr int kPassRights = 83;  // SO_PASSRIGHTS, since Linux 6.16
  if (getsockopt(client.get(), SOL_SOCKET, kPassRights, &passes, &size) != 0) {
    GTEST_SKIP() << "this kernel has no SO_PASSRIGHTS";
  }
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  char byte = 'x';
  iovec bytes{&byte, 1};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  *CMSG_FIRSTHDR(&message) = {
      .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  EXPECT_EQ(sendmsg(client.get(), &message, MSG_NOSIGNAL), -1);  // descriptor 0
  EXPECT_EQ(errno, EPERM);
}

TEST_F(AcceptorTest, WithoutDescriptorsItGoesOnWhenThereAreSome) {
  ForkedChild client([this] {
    raise(SIGSTOP);
    const rlimit enough{64, 64};
    PCHECK(setrlimit(RLIMIT_NOFILE, &enough) == 0);
    const UniqueFd socket = DialRaw();
    CHECK_OK(SendHello(socket.get(), kNoFeatures));
    raise(SIGSTOP);
    CHECK(AwaitReadable(socket.get()));
    return ReceiveWelcome(socket.get(), {}).status().ToString();
  });
  {
    const NoMoreFiles no_more_files;
    client.AwaitStopAndContinue();
    client.AwaitStopAndContinue();  // it is connected
    // Time for some attempts to accept it. Without them the test is weaker, not wrong.
    absl::SleepFor(absl::Milliseconds(300));
  }
  EXPECT_EQ(client.Join(), "OK");
  EXPECT_NE(server_.Accept(), nullptr);
  ExpectServed();
  ExpectNothingLeft();
}

TEST_F(AcceptorTest, StoppingLetsSilentClientsGo) {
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 50; ++i) silent.push_back(DialRaw());
  std::thread busy([&] {
    for (int i = 0; i < 50; ++i) {
      const absl::StatusOr<UniqueFd> socket = Dial(At(directory_.path()), name_);
      if (socket.ok()) SendHello(socket->get(), kNoFeatures).IgnoreError();
    }
  });
  server_.Shutdown();
  busy.join();
  for (const UniqueFd& socket : silent) {
    ASSERT_TRUE(AwaitReadable(socket.get()));
    EXPECT_THAT(ReceiveWelcome(socket.get(), {}), StatusIs(absl::StatusCode::kUnavailable));
  }
  EXPECT_TRUE(directory_.List().empty()) << "the name is still there";
  silent.clear();
  ExpectNothingLeft();
}

// A Hello that lies in the socket when the server stops must not keep the refusal from the client.
TEST_F(AcceptorTest, StoppingAnswersAHelloThatIsNotReadYet) {
  std::vector<UniqueFd> clients;
  for (int i = 0; i < 60; ++i) clients.push_back(DialRaw());
  ASSERT_TRUE(Eventually([&] { return CountOpenFiles() >= files_ + 120; })) << "not all accepted";
  for (const UniqueFd& client : clients) ASSERT_THAT(SendHello(client.get(), kNoFeatures), IsOk());
  server_.Shutdown();
  for (const UniqueFd& client : clients) {
    ASSERT_TRUE(AwaitReadable(client.get()));
    EXPECT_THAT(ReceiveWelcome(client.get(), {}).status().message(),
                Not(HasSubstr("the peer closed the connection")));
  }
}

// Stopping and accepting at the same moment, again and again.
TEST_F(AcceptorTest, StoppingWhileClientsCome) {
  server_.Shutdown();
  for (int round = 0; round < 100; ++round) {
    TestServer server;
    ASSERT_THAT(server.Bind(kPayments, server_options_), IsOk());
    std::thread clients([&] {
      for (int i = 0; i < 10; ++i) Dial(At(directory_.path()), name_).status().IgnoreError();
    });
    ASSERT_THAT(server.listener().Start(), IsOk());
    server.Shutdown();
    clients.join();
  }
  ExpectNothingLeft();
}

}  // namespace
}  // namespace grpc_cxl::internal
