// SPDX-License-Identifier: Apache-2.0

// An attempt that was given up, because the channel's address leads to another name, counts no more
// when it ends, whatever has become of its name since. All else: test/e2e/replicas_test.cc.
#include "grpc_cxl/event_engine/replica_connections.h"

#include <grpc/event_engine/event_engine.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/log/check.h"
#include "absl/time/time.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/polling/watchdog.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/name_listener.h"
#include "gtest/gtest.h"
#include "test/rendezvous/at.h"
#include "test/support/await_readable.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using Endpoint = ConnectRequest::EventEngine::Endpoint;

class ReplicaConnectionsTest : public ::testing::Test {
 protected:
  ReplicaConnectionsTest() : replica_(Listen(directory_.path())) {
    settings_.directory.configured = directory_.path();
  }

  static NameListener Listen(const std::string& directory) {
    auto listener =
        NameListener::ListenAsReplica(At(directory), ServiceName::Parse("search").value());
    CHECK_OK(listener);
    return *std::move(listener);
  }
  // gRPC has a connection to a replica of that name.
  std::unique_ptr<Endpoint> Enter(const char* name) {
    return connections_->Enter({.executor = Engine(),
                                .poller = AssignPoller(),
                                .name = ServiceName::Reserved(name),
                                .settings = settings_,
                                .routes = nullptr,
                                .pool_key = ""},
                               nullptr);
  }
  // Never destroyed, because attempts have timers.
  static std::shared_ptr<ConnectRequest::EventEngine> Engine() {
    static auto* const engine = new std::shared_ptr<ConnectRequest::EventEngine>(
        grpc_event_engine::experimental::GetDefaultEventEngine());
    return *engine;
  }
  static Poller* AssignPoller() {
    static auto* const watchdog = new Watchdog(1);  // never destroyed, as its threads
    return watchdog->Assign();
  }
  // What connects to our replica, "search=0", next, and says hello.
  UniqueFd Next() {
    CHECK(AwaitReadable(replica_.fd()));
    auto socket = replica_.Accept();
    CHECK_OK(socket);
    CHECK(AwaitReadable(socket->get()));
    CHECK_OK(ReceiveHello(socket->get(), {}));
    return *std::move(socket);
  }

  const TemporaryDirectory directory_;
  ChannelSettings settings_;
  NameListener replica_;
  const std::shared_ptr<ReplicaConnections> connections_ = ReplicaConnections::For("key", 1);
};

TEST_F(ReplicaConnectionsTest, AnAttemptThatWasGivenUpEndsNoOther) {
  const auto first = Enter("search=7");
  const UniqueFd given_up = Next();
  const auto elsewhere = Enter("find=7");
  const auto back = Enter("search=7");
  const UniqueFd under_way = Next();
  SendRefusal(given_up.get(), Refusal::kConnectionLimit, "no more");
  EXPECT_FALSE(AwaitReadable(replica_.fd(), absl::Milliseconds(300))) << "a third attempt";
}

}  // namespace
}  // namespace grpc_cxl::internal
