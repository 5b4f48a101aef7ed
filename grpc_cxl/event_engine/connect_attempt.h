// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_CONNECT_ATTEMPT_H_
#define GRPC_CXL_EVENT_ENGINE_CONNECT_ATTEMPT_H_

#include <grpc/event_engine/event_engine.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/direct/call_routes.h"
#include "grpc_cxl/direct/own_server.h"
#include "grpc_cxl/endpoint/endpoint.h"
#include "grpc_cxl/event_engine/client_source.h"
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/polling/poller.h"
#include "grpc_cxl/polling/watchdog.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/line_key.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

class WayBack;
class ReplicaConnections;

// The parameters of one attempt to connect to a name.
struct ConnectRequest {
  using EventEngine = grpc_event_engine::experimental::EventEngine;

  std::shared_ptr<EventEngine> executor;
  Poller* poller;
  ServiceName name;
  ChannelSettings settings;
  std::shared_ptr<CallRoutes> routes;  // null: no direct calls
  std::string pool_key;
  // Whether the server at the other end of this socket may be used, besides its uid; may be empty.
  std::function<absl::Status(int socket)> check_server = {};
  // Connected only when the first bytes of the server's HTTP/2 are there: a server that goes down
  // may still take a connection, and drop it at once. Not for TLS, where the client speaks first.
  bool await_greeting = false;
  bool is_probe = false;  // the connection is not to be used, and does not count
  // The connection carries direct calls alone, of `routes`; error where the server offers none.
  bool calls_only = false;
  // Where a connection to a replica is entered; null: nowhere.
  std::shared_ptr<ReplicaConnections> replicas = nullptr;
  // gRPC spreads calls over connections to several replicas, and this is one.
  bool spreads = false;
  // The number of the BackServer that the server may call; 0: none.
  int serve_back = 0;
  // By which the client's socket comes, instead of from the name; null: from the name.
  std::shared_ptr<WayBack> way_back = nullptr;

  uint32_t features() const {
    if (routes == nullptr) return kNoFeatures;
    return kDirectCalls | kMoreCallAreas | (calls_only ? kCallsOnly : kNoFeatures) |
           (settings.direct_streams ? kDirectStreams : kNoFeatures);
  }

  // Makes the endpoint after the server has accepted. `peer_identity` and `trust` as in
  // ConnectionTerms; `own` is the server if it is of this process. `line_key` is that of the Hello.
  absl::StatusOr<std::unique_ptr<Endpoint>> Open(LinkParts parts, const ArenaOffer& offer,
                                                 const std::string& peer_identity, PeerTrust trust,
                                                 std::shared_ptr<OwnServer> own = nullptr,
                                                 const LineKey& line_key = {}) const;
};

// One attempt to connect. The server's answer, the timer, or an error ends it: the first
// Finish() counts. Thread-safe; owned by a shared_ptr.
class ConnectAttempt {
 public:
  using EventEngine = ConnectRequest::EventEngine;
  using Result = absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>>;

  ConnectAttempt(ConnectRequest request, EventEngine::OnConnectCallback on_connect)
      : request_(std::move(request)), on_connect_(std::move(on_connect)) {}
  virtual ~ConnectAttempt() = default;

  // Calls `on_connect` unless it has been called, and stops waiting.
  void Finish(Result result);

 protected:
  const ConnectRequest& request() const { return request_; }
  absl::Status TooLate() const;

  // Begins to wait; Finish() ends that and cancels `timer`. Only cancels `timer` when Finish()
  // came first.
  void WaitWith(EventEngine::TaskHandle timer);

 private:
  // BeginWaiting() is called by WaitWith() with the lock held, EndWaiting() by Finish().
  virtual bool BeginWaiting() { return true; }  // false: the kernel has no resources left
  virtual void EndWaiting() {}

  const ConnectRequest request_;
  absl::Mutex mu_;
  EventEngine::OnConnectCallback on_connect_ ABSL_GUARDED_BY(mu_);
  EventEngine::TaskHandle timer_ ABSL_GUARDED_BY(mu_) = EventEngine::TaskHandle::kInvalid;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_CONNECT_ATTEMPT_H_
