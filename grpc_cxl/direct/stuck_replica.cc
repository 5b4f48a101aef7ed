// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/stuck_replica.h"

#include <grpc/event_engine/event_engine.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "grpc_cxl/base/steady_clock.h"

namespace grpc_cxl::internal {
namespace {

using Routes = std::weak_ptr<CallRoutes>;
using Route = std::weak_ptr<const CallRoute>;

void Look(const Routes& weak_routes, const Route& weak_route);

// The timers keep nothing alive.
void LookAfter(int64_t ns, const Routes& routes, const Route& route) {
  grpc_event_engine::experimental::GetDefaultEventEngine()->RunAfter(
      std::chrono::nanoseconds(ns), [routes, route] { Look(routes, route); });
}

// A slot of a call that was taken back is free: the replica looks again.
void Freed(const CallRoute& route) {
  route.score->Heard(SteadyNs());
  route.CallOver();
}

bool HasCalls(const CallRoute& route) { return route.calls->busy() > 0 || route.queue->size() > 0; }

void Look(const Routes& weak_routes, const Route& weak_route) {
  const std::shared_ptr<CallRoutes> routes = weak_routes.lock();
  const std::shared_ptr<const CallRoute> route = weak_route.lock();
  if (routes == nullptr || route == nullptr) return;
  if (!HasCalls(*route)) {
    // seq_cst, both: WatchReplica() sees that nobody watches, or its call is seen here.
    route->watched->store(false);
    if (!HasCalls(*route) || route->watched->exchange(true)) return;
  }
  const int64_t now = SteadyNs();
  const int64_t stuck_at = route->score->StuckAt(now);
  if (now >= stuck_at && routes->HasBetterThan(*route)) {
    route->calls->TakeBack([route] { Freed(*route); });
    route->queue->SendAway();
  }
  LookAfter(std::max(stuck_at - now, ReplicaScore::kLeastNs), weak_routes, weak_route);
}

}  // namespace

void WatchReplica(const std::shared_ptr<CallRoutes>& routes,
                  const std::shared_ptr<const CallRoute>& route) {
  if (route->score == nullptr || route->watched->load() || route->watched->exchange(true)) return;
  LookAfter(ReplicaScore::kLeastNs, routes, route);
}

}  // namespace grpc_cxl::internal
