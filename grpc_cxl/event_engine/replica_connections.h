// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_REPLICA_CONNECTIONS_H_
#define GRPC_CXL_EVENT_ENGINE_REPLICA_CONNECTIONS_H_

#include <grpc/event_engine/event_engine.h>

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/event_engine/arrivals.h"
#include "grpc_cxl/event_engine/connect_attempt.h"
#include "grpc_cxl/event_engine/held_endpoint.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

// The connections of a name's channels to its replicas, so that direct calls can go to each. gRPC
// has one to a replica of its choice, or several with round_robin; this makes one to each other
// replica, for direct calls alone, up to kMost in all:
//
//            gRPC connects to a replica                    a replica's name appears
//                       |                                             |
//   nothing ------------+--> watching ------> connecting <------------+---- 1 to 16 s pass
//                                                 |  \                         ^
//                                    connected: a route  `--- it cannot be ----+
//                                                 |                            |
//                                                 +-- its server ends or dies -+
//
// A replica with which gRPC connects later needs no connection of ours any more: it ends after its
// calls. They live as long as a channel that makes direct calls to the name, also while gRPC has no
// connection because the channel is idle.
//
// Who may be a replica: whoever may serve the name. Each connection is checked as any other.
//
// Thread-safe; owned by a shared_ptr.
class ReplicaConnections final : public Arrivals::Waiter,
                                 public std::enable_shared_from_this<ReplicaConnections> {
 public:
  using EventEngine = grpc_event_engine::experimental::EventEngine;

  static constexpr size_t kMost = 16;

  // The object of this name and number of ChannelSettings.
  static std::shared_ptr<ReplicaConnections> For(const std::string& service, int settings);
  ~ReplicaConnections() override;

  // `connection` is gRPC's to the replica that `request` names; returns what gRPC is to use.
  std::unique_ptr<EventEngine::Endpoint> Enter(const ConnectRequest& request,
                                               std::unique_ptr<EventEngine::Endpoint> connection);

  void OnArrival() override;

 private:
  class Lease;  // while gRPC has a connection

  struct Replica {
    int carried = 0;  // connections of gRPC's
    bool connecting = false;
    std::shared_ptr<HeldEndpoint> held;  // ours

    bool IsThere() const { return carried > 0 || connecting || held != nullptr; }
  };

  ReplicaConnections() = default;

  void Leave(const std::string& name);
  // Connects to what is missing.
  void Look();
  // Once for each `due`.
  void LookAfter(EventEngine::Duration pause, bool ReplicaConnections::*due)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnConnected(const std::string& name, ConnectAttempt::Result result);
  void OnEnded(const std::string& name);

  absl::Mutex mu_;
  // Whatever its name, for further connections; empty: not watching.
  std::optional<ConnectRequest> request_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<Arrivals> arrivals_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Replica> replicas_ ABSL_GUARDED_BY(mu_);
  int failures_ ABSL_GUARDED_BY(mu_) = 0;  // looks that failed since the last success or arrival
  // Timers will Look().
  bool look_due_ ABSL_GUARDED_BY(mu_) = false;
  bool retry_due_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_REPLICA_CONNECTIONS_H_
