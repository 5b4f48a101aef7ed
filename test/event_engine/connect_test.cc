// SPDX-License-Identifier: Apache-2.0
// Proves how connections come about, and do not: bytes flow over what Connect() and the
// listener hand out; one that never answers ends in a status that says so, once and in time;
// and a thousand connections, made and closed, or given up at the worst moment, leave no
// descriptor and no mapping behind. Every other refusal: test/e2e/errors_test.cc.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/log/check.h"
#include "absl/status/status.h"
#include "absl/status/status_matchers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "gtest/gtest.h"
#include "test/endpoint/endpoint_pair.h"
#include "test/event_engine/test_server.h"
#include "test/rendezvous/at.h"
#include "test/support/await_readable.h"
#include "test/support/eventually.h"
#include "test/support/process_state.h"

namespace grpc_cxl::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

using ConnectTest = EngineTest;

TEST_F(ConnectTest, AThousandConnectionsCarryBytesAndLeaveNothingBehind) {
  TestServer server;
  Start(server);
  const auto one_cycle = [&](int i) {
    auto client = Connect();
    ASSERT_THAT(client, IsOk());
    auto accepted = server.Accept();
    ASSERT_NE(accepted, nullptr);
    const std::string text(1 + 37 * (i % 100), static_cast<char>('a' + i % 26));
    ASSERT_THAT(WriteAll(**client, text), IsOk());
    ASSERT_THAT(ReadExactly(*accepted, text.size()), IsOkAndHolds(text));
    ASSERT_THAT(WriteAll(*accepted, text), IsOk());
    if (i % 3 == 0) accepted.reset();
    if (i % 3 == 1) {
      ASSERT_THAT(ReadExactly(**client, text.size()), IsOkAndHolds(text));
    }
  };
  one_cycle(1);
  ASSERT_TRUE(Eventually([] { return CountArenas() == 0; }));
  const int files = CountOpenFiles();
  for (int i = 0; i < 1000 && !HasFailure(); ++i) one_cycle(i);
  EXPECT_TRUE(Eventually([] { return CountArenas() == 0; })) << CountArenas();
  EXPECT_TRUE(Eventually([&] { return CountOpenFiles() <= files; })) << CountOpenFiles() - files;
}

TEST_F(ConnectTest, ConnectionsBeforeStartWaitForIt) {
  TestServer server;
  ASSERT_THAT(server.Bind(kPayments, server_options_), IsOkAndHolds(1));
  std::thread client([&] { EXPECT_THAT(Connect(), IsOk()); });
  EXPECT_EQ(server.Accept(absl::Milliseconds(50)), nullptr);
  EXPECT_THAT(server.listener().Start(), IsOk());
  client.join();
  EXPECT_NE(server.Accept(), nullptr);
}

// A listener whose process is stopped, say: it accepts nothing and says nothing. The timeout
// may come while the attempt is only being made.
TEST_F(ConnectTest, AListenerThatNeverAnswersTimesOutAndLeavesNothingBehind) {
  auto silent = NameListener::Listen(At(directory_.path()), *ServiceName::Parse("payments"));
  ASSERT_THAT(silent, IsOk());
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(Connect(std::chrono::milliseconds(50)),
              StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("\"payments\"")));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(50));
  const int files = CountOpenFiles();
  for (int i = 0; i < 300; ++i) {
    EXPECT_THAT(Connect(std::chrono::microseconds(i % 3 == 0 ? 0 : i)),
                StatusIs(absl::StatusCode::kDeadlineExceeded));
    // The queue of an owner who never accepts is finite.
    EXPECT_THAT(silent->Accept(), IsOk());
  }
  EXPECT_TRUE(Eventually([&] { return CountOpenFiles() <= files; })) << CountOpenFiles() - files;
  EXPECT_FALSE(TestEngine()->CancelConnect(EventEngine::ConnectionHandle::kInvalid));
}

// A server that is about to end: its successor, who has the name by then, answers the next attempt.
TEST_F(ConnectTest, WhereAServerHangsUpTheNextIsTriedAtOnce) {
  auto leaving = NameListener::Listen(At(directory_.path()), *ServiceName::Parse("payments"));
  ASSERT_THAT(leaving, IsOk());
  std::thread server([&] {
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(AwaitReadable(leaving->fd()));
      EXPECT_THAT(leaving->Accept(), IsOk());  // and drops it
    }
  });
  EXPECT_THAT(Connect(), StatusIs(absl::StatusCode::kUnavailable));
  server.join();
  EXPECT_FALSE(AwaitReadable(leaving->fd(), absl::Milliseconds(20))) << "a fifth attempt";
}

// Of many replicas that are stopped, those for which there is no time are left alone.
TEST_F(ConnectTest, NoReplicaIsTriedAfterTheTimeout) {
  std::vector<NameListener> silent;
  for (int i = 0; i < 10; ++i) {
    auto replica =
        NameListener::ListenAsReplica(At(directory_.path()), *ServiceName::Parse("payments"));
    ASSERT_THAT(replica, IsOk());
    silent.push_back(*std::move(replica));
  }
  EXPECT_THAT(Connect(std::chrono::milliseconds(50)),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  int tried = 0;
  for (NameListener& replica : silent) {
    const auto client = replica.Accept();
    ASSERT_THAT(client, IsOk());
    if (*client) ++tried;
  }
  EXPECT_EQ(tried, 1);
}

// Where a secret counts, whoever may write to the directory may have registered silent replicas.
class SilentReplicasTest : public ConnectTest {
 protected:
  // So many, and one that answers.
  void Start(int silent) {
    const std::string secret = directory_.path() + "/secret";
    std::ofstream(secret) << "the secret of connect_test.cc";
    PCHECK(chmod(secret.c_str(), 0600) == 0);
    server_options_.secret_file = channel_options_.secret_file = secret;
    server_options_.replicas = true;
    for (int i = 0; i < silent; ++i) {
      auto replica =
          NameListener::ListenAsReplica(At(directory_.path()), *ServiceName::Parse("payments"));
      CHECK_OK(replica);
      silent_.push_back(*std::move(replica));
    }
    ConnectTest::Start(server_);
  }

  std::vector<NameListener> silent_;
  TestServer server_;
};

TEST_F(SilentReplicasTest, DoNotHideTheServer) {
  Start(40);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(Connect(), IsOk());
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5))
      << "0.2 s five times";
}

// The second and the third are tried at once, and have all of the time.
TEST_F(SilentReplicasTest, AreGivenUpWhenTheServerHasAnswered) {
  Start(2);
  const int files = CountOpenFiles();
  for (int i = 0; i < 5; ++i) {  // in random order
    EXPECT_THAT(Connect(std::chrono::minutes(10)), IsOk());
    EXPECT_NE(server_.Accept(), nullptr);
    EXPECT_TRUE(Eventually([&] { return CountOpenFiles() <= files; })) << CountOpenFiles() - files;
  }
}

// Leaves the socket of a dead server behind.
void LeaveSocket(const std::string& directory, const std::string& name) {
  const UniqueFd opened(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::string file = absl::StrCat("/proc/self/fd/", opened.get(), "/", name);
  const UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(file.size(), sizeof(address.sun_path));
  std::copy(file.begin(), file.end(), address.sun_path);
  ASSERT_EQ(bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
}

TEST_F(ConnectTest, OfReplicasThatFailALivingOnesReasonIsTold) {
  server_options_.replicas = true;
  server_options_.max_connections = 1;
  TestServer server;
  Start(server);
  const auto first = Connect();
  ASSERT_THAT(first, IsOk());
  for (int i = 0; i < 5; ++i) {
    LeaveSocket(directory_.path(), absl::StrCat("payments=", 10 + i, ".sock"));
  }
  for (int i = 0; i < 20; ++i) {  // in random order
    EXPECT_THAT(Connect(), StatusIs(absl::StatusCode::kResourceExhausted));
  }
}

}  // namespace
}  // namespace grpc_cxl::internal
