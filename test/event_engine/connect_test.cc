// Proves how connections come about, and do not: bytes flow over what Connect() and the
// listener hand out; a missing listener, a full one, one that never answers and invalid
// options end in a status that says so, once and in time; and a thousand connections, made
// and closed, or given up at the worst moment, leave no descriptor and no mapping behind.

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "gtest/gtest.h"
#include "test/endpoint/endpoint_pair.h"
#include "test/event_engine/test_server.h"
#include "test/support/eventually.h"
#include "test/support/process_state.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

class ConnectTest : public ::testing::Test {
 protected:
  ConnectTest() {
    server_options_.rendezvous_directory = directory_.path();
    server_options_.ring_bytes = 16 << 10;
    channel_options_.rendezvous_directory = directory_.path();
  }

  void Start(TestServer& server) {
    ASSERT_THAT(server.Bind("cxl:///payments", server_options_), IsOkAndHolds(1));
    ASSERT_THAT(server.listener().Start(), IsOk());
  }

  absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> Connect(
      EventEngine::Duration timeout = std::chrono::minutes(1)) {
    return ConnectTo("cxl:///payments", channel_options_, timeout);
  }

  const TemporaryDirectory directory_;
  ServerOptions server_options_;
  ChannelOptions channel_options_;
};

TEST_F(ConnectTest, BytesFlowBothWays) {
  TestServer server;
  Start(server);
  for (int i = 0; i < 10; ++i) {
    auto client = Connect();
    ASSERT_THAT(client, IsOk());
    const auto accepted = server.Accept();
    ASSERT_NE(accepted, nullptr);
    for (int message = 0; message < 100; ++message) {
      const std::string text(1 + 37 * message, static_cast<char>('a' + i));
      EventEngine::Endpoint& from = message % 2 == 0 ? **client : *accepted;
      EventEngine::Endpoint& to = message % 2 == 0 ? *accepted : **client;
      ASSERT_THAT(WriteAll(from, text), IsOk());
      ASSERT_THAT(ReadExactly(to, text.size()), IsOkAndHolds(text));
    }
  }
}

TEST_F(ConnectTest, NobodyListens) {
  EXPECT_THAT(Connect(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr(directory_.path())));
}

TEST_F(ConnectTest, ConnectionsBeforeStartWaitForIt) {
  TestServer server;
  ASSERT_THAT(server.Bind("cxl:///payments", server_options_), IsOk());
  std::thread client([&] { EXPECT_THAT(Connect(), IsOk()); });
  EXPECT_EQ(server.Accept(absl::Milliseconds(50)), nullptr);
  EXPECT_THAT(server.listener().Start(), IsOk());
  client.join();
  EXPECT_NE(server.Accept(), nullptr);
}

TEST_F(ConnectTest, OneConnectionTooManyIsRefusedUntilAnotherEnds) {
  server_options_.max_connections = 2;
  TestServer server;
  Start(server);
  auto first = Connect(), second = Connect();
  ASSERT_TRUE(first.ok() && second.ok());
  auto first_accepted = server.Accept(), second_accepted = server.Accept();
  EXPECT_THAT(Connect(),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("limit of 2 connections")));
  first->reset();
  EXPECT_THAT(Connect(), StatusIs(absl::StatusCode::kResourceExhausted))
      << "the server has not let go of its end yet";
  first_accepted.reset();
  second_accepted.reset();
  EXPECT_TRUE(Eventually([&] { return Connect().ok(); }));
}

TEST_F(ConnectTest, OneArenaTooManyIsRefused) {
  const size_t one = ArenaBytes(
      {.ring_bytes = server_options_.ring_bytes, .payload_bytes = server_options_.payload_bytes});
  server_options_.max_total_arena_bytes = 2 * one + one / 2;
  TestServer server;
  Start(server);
  auto first = Connect(), second = Connect();
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_THAT(Connect(),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("max_total_arena_bytes")));
}

TEST_F(ConnectTest, InvalidOptionsAreReported) {
  channel_options_.max_spin = absl::Hours(1);
  EXPECT_THAT(Connect(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("max_spin")));
  server_options_.ring_bytes = 5000;
  TestServer server;
  EXPECT_THAT(server.Bind("cxl:///payments", server_options_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("ring_bytes")));
}

// A listener whose process is stopped, say: it accepts nothing and says nothing.
TEST_F(ConnectTest, AListenerThatNeverAnswersTimesOut) {
  const auto silent = NameListener::Listen(directory_.path(), *ServiceName::Parse("payments"));
  ASSERT_THAT(silent, IsOk());
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(Connect(std::chrono::milliseconds(50)),
              StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("\"payments\"")));
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_GE(took, std::chrono::milliseconds(50));
  EXPECT_LT(took, std::chrono::seconds(20));
}

// A timeout that comes while the attempt is only being made.
TEST_F(ConnectTest, TimeoutsAtAnyMomentLeaveNothingBehind) {
  auto silent = NameListener::Listen(directory_.path(), *ServiceName::Parse("payments"));
  ASSERT_THAT(silent, IsOk());
  EXPECT_FALSE(Connect(std::chrono::milliseconds(1)).ok());  // opens what stays open
  const int files = CountOpenFiles();
  for (int i = 0; i < 300; ++i) {
    EXPECT_THAT(Connect(std::chrono::microseconds(i % 3 == 0 ? 0 : i)),
                StatusIs(absl::StatusCode::kDeadlineExceeded));
    // The queue of an owner who never accepts is finite.
    EXPECT_THAT(silent->Accept(), IsOk());
  }
  EXPECT_TRUE(Eventually([&] { return CountOpenFiles() <= files; })) << CountOpenFiles() - files;
}

TEST_F(ConnectTest, AThousandConnectionsLeaveNothingBehind) {
  TestServer server;
  Start(server);
  const auto one_cycle = [&](int i) {
    auto client = Connect();
    ASSERT_THAT(client, IsOk());
    auto accepted = server.Accept();
    ASSERT_NE(accepted, nullptr);
    ASSERT_THAT(WriteAll(**client, "hello"), IsOk());
    if (i % 2 == 0) accepted.reset();
  };
  one_cycle(0);
  ASSERT_TRUE(Eventually([] { return CountArenas() == 0; }));
  const int files = CountOpenFiles();
  for (int i = 0; i < 1000; ++i) one_cycle(i);
  EXPECT_TRUE(Eventually([] { return CountArenas() == 0; })) << CountArenas();
  EXPECT_TRUE(Eventually([&] { return CountOpenFiles() <= files; })) << CountOpenFiles() - files;
}

TEST_F(ConnectTest, ThereIsNothingToCancel) {
  EXPECT_FALSE(TestEngine()->CancelConnect(EventEngine::ConnectionHandle::kInvalid));
}

}  // namespace
}  // namespace grpc_cxl::internal
