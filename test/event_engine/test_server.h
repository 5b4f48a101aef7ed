// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_EVENT_ENGINE_TEST_SERVER_H_
#define GRPC_CXL_TEST_EVENT_ENGINE_TEST_SERVER_H_

#include <grpc/event_engine/event_engine.h>

#include <chrono>
#include <deque>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpc_cxl/options.h"
#include "gtest/gtest.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {

using EventEngine = grpc_event_engine::experimental::EventEngine;

// A CxlEngine around gRPC's default engine; one per process, as in life.
std::shared_ptr<EventEngine> TestEngine();

// What the engine's resolver makes of a target; waits for it.
absl::StatusOr<EventEngine::ResolvedAddress> Resolve(const std::string& target);

// Connects to a target or an address as a channel with these options does; waits.
absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> ConnectTo(
    const std::string& target, const ChannelOptions& options,
    EventEngine::Duration timeout = std::chrono::minutes(1));
absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> ConnectTo(
    const EventEngine::ResolvedAddress& address, const ChannelOptions& options,
    EventEngine::Duration timeout = std::chrono::minutes(1));

// A listener and the endpoints it has accepted.
class TestServer {
 public:
  TestServer();
  ~TestServer() { Shutdown(); }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  absl::StatusOr<int> Bind(const std::string& target, const ServerOptions& options);
  EventEngine::Listener& listener() { return *listener_; }

  // The next endpoint; null when none comes for `patience`.
  std::unique_ptr<EventEngine::Endpoint> Accept(absl::Duration patience = absl::Minutes(1));

  // Destroys the listener and waits for on_shutdown. CHECKs that this comes once, and only
  // after the last accept callback has returned.
  void Shutdown();

 private:
  struct State {
    absl::Mutex mu;
    std::deque<std::unique_ptr<EventEngine::Endpoint>> accepted ABSL_GUARDED_BY(mu);
    int shutdowns ABSL_GUARDED_BY(mu) = 0;
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
  std::unique_ptr<EventEngine::Listener> listener_;
};

// A rendezvous directory of a test's own and options that use it, with little memory.
class EngineTest : public ::testing::Test {
 protected:
  EngineTest();

  // Binds `server` to kPayments and starts it.
  void Start(TestServer& server) const;
  absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> Connect(
      EventEngine::Duration timeout = std::chrono::minutes(1)) const {
    return ConnectTo(kPayments, channel_options_, timeout);
  }
  // A client of `address` connects, is accepted, and "hello" arrives.
  template <typename Address>
  void ExpectHello(TestServer& server, const Address& address) const {
    ExpectHelloFrom(ConnectTo(address, channel_options_), server);
  }

  static constexpr char kPayments[] = "cxl:///payments";
  const TemporaryDirectory directory_;
  ServerOptions server_options_;
  ChannelOptions channel_options_;

 private:
  static void ExpectHelloFrom(const absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>>& client,
                              TestServer& server);
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TEST_EVENT_ENGINE_TEST_SERVER_H_
