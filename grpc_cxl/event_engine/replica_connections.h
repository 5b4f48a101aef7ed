// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_REPLICA_CONNECTIONS_H_
#define GRPC_CXL_EVENT_ENGINE_REPLICA_CONNECTIONS_H_

#include <grpc/event_engine/event_engine.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/event_engine/arrivals.h"
#include "grpc_cxl/event_engine/connect_attempt.h"
#include "grpc_cxl/event_engine/held_endpoint.h"
#include "grpc_cxl/event_engine/replica_places.h"
#include "grpc_cxl/rendezvous/service_name.h"

namespace grpc_cxl::internal {

// The connections of a name's channels to its replicas, so that direct calls can go to each. gRPC
// has one to a replica of its choice, or several with round_robin; from then on this makes one to
// each other replica, for direct calls alone (replica_places.h), as their names appear.
//
// A replica with which gRPC connects later needs no connection of ours any more: it ends after its
// calls. Those to replicas of a `cxl:` name live as long as a channel that makes direct calls to
// the name, also while gRPC has no connection because the channel is idle. Those to the replicas of
// a network address live as long as gRPC has a connection to one of them: its next one may be to
// another server, or another address.
//
// Who may be a replica: whoever may serve the name. Each connection is checked as any other.
//
// Thread-safe; owned by a shared_ptr.
class ReplicaConnections final : public Arrivals::Waiter,
                                 public std::enable_shared_from_this<ReplicaConnections> {
 public:
  using EventEngine = grpc_event_engine::experimental::EventEngine;

  // The object of this key of calls (channel_target.h) and number of ChannelSettings.
  static std::shared_ptr<ReplicaConnections> For(const std::string& key, int settings);
  ~ReplicaConnections() override;

  // `connection` is gRPC's to the replica that `request` names; returns what gRPC is to use.
  std::unique_ptr<EventEngine::Endpoint> Enter(const ConnectRequest& request,
                                               std::unique_ptr<EventEngine::Endpoint> connection);

  void OnArrival() override;

 private:
  using Clock = ReplicaPlaces::Clock;
  using Held = std::map<std::string, std::shared_ptr<HeldEndpoint>>;  // by the replica's name
  class Lease;                                                        // while gRPC has a connection

  ReplicaConnections() = default;

  void Leave(const std::string& name);
  // Connects to what is missing.
  void Look();
  void LookAt(Clock::time_point when) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Of that attempt, or the connection that it has led to. No effect when it has been given up.
  void OnConnected(const std::string& name, uint64_t attempt, ConnectAttempt::Result result);
  void OnEnded(const std::string& name, uint64_t attempt);
  // False when it has been given up.
  bool IsLast(const std::string& name, uint64_t attempt) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Gives all attempts up. All connections of ours, to be dropped without the lock.
  Held TakeHeld() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  absl::Mutex mu_;
  // Whichever replica it names, for further connections; empty: not watching.
  std::optional<ConnectRequest> request_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<Arrivals> arrivals_ ABSL_GUARDED_BY(mu_);
  ReplicaPlaces places_ ABSL_GUARDED_BY(mu_);
  Held held_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, uint64_t> attempts_ ABSL_GUARDED_BY(mu_);  // the last one's number, by name
  uint64_t last_attempt_ ABSL_GUARDED_BY(mu_) = 0;
  static constexpr auto kNever = Clock::time_point::max();
  Clock::time_point look_due_ ABSL_GUARDED_BY(mu_) = kNever;  // a timer will Look()
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_REPLICA_CONNECTIONS_H_
