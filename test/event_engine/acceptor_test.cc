// Proves that clients who misbehave while they greet hurt only themselves: those who say
// nothing, or nonsense, or leave, die before or after any of their system calls, or come in
// crowds; that a server without free descriptors goes on as soon as it has some; and that a
// server which stops meanwhile lets all of them go. Afterwards everything is where it was.

#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <memory>
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
#include "test/support/await_readable.h"
#include "test/support/eventually.h"
#include "test/support/forked_child.h"
#include "test/support/process_state.h"
#include "test/support/stepped_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

// The outline of a server that serves one client of "mortal".
std::string ServeOne(const std::string& directory) {
  auto listener = NameListener::Listen(directory, *ServiceName::Parse("mortal"));
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

class AcceptorTest : public ::testing::Test {
 protected:
  AcceptorTest() {
    server_options_.rendezvous_directory = directory_.path();
    server_options_.ring_bytes = 16 << 10;
    server_options_.max_connections = 4;
    channel_options_.rendezvous_directory = directory_.path();
    CHECK_OK(server_.Bind("cxl:///payments", server_options_));
    CHECK_OK(server_.listener().Start());
  }

  // A client that keeps to no protocol.
  UniqueFd DialRaw() {
    absl::StatusOr<UniqueFd> socket = Dial(directory_.path(), name_);
    CHECK_OK(socket);
    return *std::move(socket);
  }

  // An ordinary client is served; returns when all of it is gone again.
  void ExpectServed() {
    auto client = ConnectTo("cxl:///payments", channel_options_);
    ASSERT_THAT(client, IsOk());
    auto accepted = server_.Accept();
    ASSERT_NE(accepted, nullptr);
    ASSERT_THAT(WriteAll(**client, "hello"), IsOk());
    ASSERT_THAT(ReadExactly(*accepted, 5), IsOkAndHolds("hello"));
    client->reset();
    accepted.reset();
    ASSERT_TRUE(Eventually([] { return CountArenas() == 0; }));
  }

  // Endpoints whose clients are gone, as gRPC would let go of them.
  void DropAccepted() {
    while (server_.Accept(absl::Milliseconds(1)) != nullptr) {
    }
  }

  void ExpectNothingLeft(int files) {
    EXPECT_TRUE(Eventually([&] {
      DropAccepted();
      return CountOpenFiles() <= files && CountArenas() == 0;
    })) << CountOpenFiles()
        << " files open instead of " << files << ", " << CountArenas() << " arenas";
  }

  const TemporaryDirectory directory_;
  const ServiceName name_ = *ServiceName::Parse("payments");
  ServerOptions server_options_;
  ChannelOptions channel_options_;
  TestServer server_;
};

TEST_F(AcceptorTest, ClientsThatLeaveAtOnce) {
  ExpectServed();
  const int files = CountOpenFiles();
  for (int i = 0; i < 500; ++i) DialRaw();
  ExpectServed();
  ExpectNothingLeft(files);
}

TEST_F(AcceptorTest, ClientsThatTalkNonsense) {
  ExpectServed();
  const int files = CountOpenFiles();
  for (const size_t bytes : {1, 7, 24, 100, 5000}) {
    const UniqueFd socket = DialRaw();
    const std::string nonsense(bytes, 'n');
    ASSERT_EQ(send(socket.get(), nonsense.data(), bytes, 0), static_cast<ssize_t>(bytes));
    ASSERT_TRUE(AwaitReadable(socket.get()));
    EXPECT_THAT(ReceiveWelcome(socket.get(), {}).status().message(), HasSubstr("protocol"));
  }
  ExpectServed();
  ExpectNothingLeft(files);
}

// The limit of connections is 4: a lease that stayed out would show at once.
TEST_F(AcceptorTest, ClientsThatAreKilledAtAnyStep) {
  if (const std::string why = SteppedChild::WhyNot(); !why.empty()) GTEST_SKIP() << why;
  ExpectServed();
  const int files = CountOpenFiles();
  int steps = 0;
  for (bool ended = false; !ended; ++steps) {
    SteppedChild client([&] {
      const absl::StatusOr<UniqueFd> socket = Dial(directory_.path(), name_);
      CHECK_OK(socket);
      CHECK_OK(SendHello(socket->get(), kNoFeatures));
      CHECK(AwaitReadable(socket->get()));
      return ReceiveWelcome(socket->get(), {}).status().ToString();
    });
    ended = !client.Step(steps);
    if (ended) {
      EXPECT_EQ(client.Finish(), "OK") << "the client itself did not work";
    } else {
      client.Kill();
    }
    ExpectNothingLeft(files);
    ExpectServed();
  }
  EXPECT_GT(steps, 10);
}

// The same for a server, of which the outline will do here. Its client, an ordinary one that
// tries again and again, gets an answer to every attempt: an error, or an endpoint that ends.
TEST_F(AcceptorTest, ServersThatAreKilledAtAnyStep) {
  if (const std::string why = SteppedChild::WhyNot(); !why.empty()) GTEST_SKIP() << why;
  ExpectServed();
  const int files = CountOpenFiles();
  int steps = 0, connections = 0;
  for (bool ended = false; !ended; ++steps) {
    SteppedChild server([&] { return ServeOne(directory_.path()); });
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
    } else {
      server.Kill();
    }
    stop = true;
    client.join();
    ExpectNothingLeft(files);
  }
  EXPECT_GT(steps, 20);
  EXPECT_GT(connections, 0);
}

TEST_F(AcceptorTest, ClientsThatSayNothingAreDroppedAfterAWhile) {
  ExpectServed();
  const int files = CountOpenFiles();
  const auto start = std::chrono::steady_clock::now();
  const UniqueFd silent = DialRaw();
  ASSERT_TRUE(AwaitReadable(silent.get()));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
  char byte;
  EXPECT_EQ(recv(silent.get(), &byte, 1, 0), 0);
  ExpectNothingLeft(files + 1);
}

// More than greet at a time: the others wait in the socket's queue until some have left.
TEST_F(AcceptorTest, ACrowdOfSilentClientsDelaysOthersOnly) {
  ExpectServed();
  const int files = CountOpenFiles();
  std::vector<UniqueFd> crowd;
  for (int i = 0; i < 300; ++i) crowd.push_back(DialRaw());
  std::thread client([&] { ExpectServed(); });
  // As soon as some leave, those behind them take their places.
  crowd.clear();
  client.join();
  ExpectNothingLeft(files);
}

TEST_F(AcceptorTest, WithoutDescriptorsItGoesOnWhenThereAreSome) {
  ExpectServed();
  ForkedChild client([this]() -> std::string {
    raise(SIGSTOP);
    const rlimit enough{64, 64};
    if (setrlimit(RLIMIT_NOFILE, &enough) != 0) return "it cannot have descriptors itself";
    const absl::StatusOr<UniqueFd> socket = Dial(directory_.path(), name_);
    if (!socket.ok()) return socket.status().ToString();
    if (!SendHello(socket->get(), kNoFeatures).ok()) return "no hello";
    raise(SIGSTOP);
    if (!AwaitReadable(socket->get())) return "nobody answers";
    return std::string(ReceiveWelcome(socket->get(), {}).status().message());
  });
  const int files = CountOpenFiles();
  {
    const NoMoreFiles no_more_files;
    client.AwaitStopAndContinue();
    client.AwaitStopAndContinue();  // it is connected
    // Time for some attempts to accept it. Without them the test is weaker, not wrong.
    absl::SleepFor(absl::Milliseconds(300));
  }
  EXPECT_EQ(client.Join(), "");
  EXPECT_NE(server_.Accept(), nullptr);
  ExpectServed();
  ExpectNothingLeft(files);
}

TEST_F(AcceptorTest, StoppingLetsThoseWhoGreetGo) {
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 50; ++i) silent.push_back(DialRaw());
  const UniqueFd last = DialRaw();
  std::thread busy([&] {
    for (int i = 0; i < 50; ++i) {
      const absl::StatusOr<UniqueFd> socket = Dial(directory_.path(), name_);
      if (socket.ok()) SendHello(socket->get(), kNoFeatures).IgnoreError();
    }
  });
  server_.Shutdown();
  busy.join();
  for (const UniqueFd& socket : silent) {
    ASSERT_TRUE(AwaitReadable(socket.get()));
    const absl::Status status = ReceiveWelcome(socket.get(), {}).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable));
  }
  DropAccepted();
  EXPECT_TRUE(directory_.List().empty()) << "the name is still there";
  EXPECT_TRUE(Eventually([] { return CountArenas() == 0; }));
}

// Stopping and accepting at the same moment, again and again.
TEST_F(AcceptorTest, StoppingWhileClientsCome) {
  server_.Shutdown();
  int files = 0;
  for (int round = 0; round < 100; ++round) {
    {
      TestServer server;
      ASSERT_THAT(server.Bind("cxl:///payments", server_options_), IsOk());
      std::thread clients([&] {
        for (int i = 0; i < 10; ++i) Dial(directory_.path(), name_).status().IgnoreError();
      });
      ASSERT_THAT(server.listener().Start(), IsOk());
      server.Shutdown();
      clients.join();
    }
    if (round == 0) {
      absl::SleepFor(absl::Milliseconds(100));
      files = CountOpenFiles();
    }
  }
  ExpectNothingLeft(files);
}

}  // namespace
}  // namespace grpc_cxl::internal
