// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_SPREAD_CONNECTIONS_H_
#define GRPC_CXL_EVENT_ENGINE_SPREAD_CONNECTIONS_H_

#include <grpc/event_engine/event_engine.h>

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/endpoint/drainable_endpoint.h"
#include "grpc_cxl/event_engine/arrivals.h"
#include "grpc_cxl/event_engine/connect_attempt.h"

namespace grpc_cxl::internal {

// The connections over which gRPC itself spreads a channel's calls (round_robin), each to another
// replica of a name. gRPC asks its resolver for the replicas again only when a connection ends. So
// when a replica appears to which there is none, those to one other replica are drained (a GOAWAY
// that only gRPC's client sees, DrainableReads): gRPC connects to both. Each channel has one of
// these connections. Calls on them end where they are.
//
// Thread-safe; owned by a shared_ptr, of the endpoints.
class SpreadConnections final : public Arrivals::Waiter,
                                public std::enable_shared_from_this<SpreadConnections> {
 public:
  using EventEngine = grpc_event_engine::experimental::EventEngine;

  // Returns what gRPC is to use for `connection`, to the replica that `request` names.
  static std::unique_ptr<EventEngine::Endpoint> Keep(
      const ConnectRequest& request, std::unique_ptr<EventEngine::Endpoint> connection);

  // Has gRPC look for a replica that it is not connected to, if there is one.
  void OnArrival() override;

 private:
  explicit SpreadConnections(const ConnectRequest& request);
  void Watch();

  const ConnectRequest request_;  // whatever its name
  absl::Mutex mu_;
  std::shared_ptr<Arrivals> arrivals_ ABSL_GUARDED_BY(mu_);
  std::multimap<std::string, std::weak_ptr<DrainableReads>> connections_
      ABSL_GUARDED_BY(mu_);  // by replica
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_SPREAD_CONNECTIONS_H_
