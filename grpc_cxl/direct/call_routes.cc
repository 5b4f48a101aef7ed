// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/call_routes.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <utility>

#include "absl/base/no_destructor.h"
#include "absl/types/span.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/calls/call_layout.h"

namespace grpc_cxl::internal {
namespace {

struct Table {
  absl::Mutex mu;
  std::map<std::pair<std::string, int>, std::weak_ptr<CallRoutes>> routes ABSL_GUARDED_BY(mu);
};

size_t Random() {
  thread_local std::minstd_rand random(std::random_device{}());
  return random();
}

Table& TheTable() {
  static absl::NoDestructor<Table> table;
  return *table;
}

// Calls under way there: of this client, and of all by the server's word.
uint32_t Own(const CallRoute& route) { return static_cast<uint32_t>(route.calls_busy()); }
uint32_t All(const CallRoute& route, int64_t now_ns) { return LoadIn(route.calls->load(), now_ns); }

}  // namespace

std::shared_ptr<CallRoutes> CallRoutes::For(const std::string& key, int settings) {
  Table& table = TheTable();
  absl::MutexLock lock(table.mu);
  std::weak_ptr<CallRoutes>& known = table.routes[{key, settings}];
  std::shared_ptr<CallRoutes> routes = known.lock();
  if (routes != nullptr) return routes;
  routes = std::make_shared<CallRoutes>();
  known = routes;
  // Keys of channels that are gone do not pile up.
  std::erase_if(table.routes, [](const auto& entry) { return entry.second.expired(); });
  return routes;
}

std::shared_ptr<const CallRoute> CallRoutes::Choose(uint32_t* under_way,
                                                    const CallRoute* other_than) const {
  if (!any_.load(std::memory_order_relaxed)) return nullptr;  // stored by Add() and Remove()
  absl::MutexLock lock(mu_);
  if (routes_.empty()) return nullptr;
  const bool replicas = std::any_of(routes_.begin(), routes_.end(),
                                    [](const auto& route) { return route->score != nullptr; });
  return replicas ? BetterOfTwo(under_way, other_than) : LeastBusy();
}

double CallRoutes::ScoreOf(const CallRoute& route, int64_t now_ns) {
  return route.score->At(Own(route), All(route, now_ns), now_ns);
}

bool CallRoutes::HasBetterThan(const CallRoute& route) const {
  const int64_t now_ns = SteadyNs();
  const double score = ScoreOf(route, now_ns);
  absl::MutexLock lock(mu_);
  return std::any_of(routes_.begin(), routes_.end(), [&](const auto& other) {
    return other.get() != &route && other->score != nullptr && other->calls->Accepting() &&
           !other->queue->IsFull() && 2 * ScoreOf(*other, now_ns) < score;
  });
}

std::shared_ptr<const CallRoute> CallRoutes::BetterOfTwo(uint32_t* under_way,
                                                         const CallRoute* other_than) const {
  const int64_t now_ns = SteadyNs();
  // For the lambda, which Clang does not know to run with the lock.
  const absl::Span<const std::shared_ptr<const CallRoute>> routes = routes_;
  const auto score = [&](size_t i) -> std::optional<double> {
    const CallRoute& route = *routes[i];
    if (&route == other_than || !route.calls->Accepting()) return std::nullopt;
    // A plain server that had the name before goes last.
    if (route.score == nullptr) return std::numeric_limits<double>::max();
    return ScoreOf(route, now_ns);
  };
  const std::optional<size_t> chosen = ChooseReplica(routes.size(), Random, score);
  if (!chosen.has_value()) return nullptr;
  const CallRoute& route = *routes[*chosen];
  *under_way = ReplicaScore::UnderWay(Own(route), All(route, now_ns));
  return routes[*chosen];
}

std::shared_ptr<const CallRoute> CallRoutes::LeastBusy() const {
  const std::shared_ptr<const CallRoute>* best = nullptr;
  int best_busy = 0;
  for (const std::shared_ptr<const CallRoute>& route : routes_) {
    if (!route->calls->Accepting()) continue;
    const int busy = route->busy();
    if (best == nullptr || busy < best_busy) {
      best = &route;
      best_busy = busy;
    }
    if (busy == 0) break;
  }
  return best == nullptr ? nullptr : *best;
}

void CallRoutes::Add(std::shared_ptr<const CallRoute> route) {
  absl::MutexLock lock(mu_);
  routes_.push_back(std::move(route));
  any_.store(true, std::memory_order_relaxed);  // loaded by Choose()
}

void CallRoutes::Remove(const ClientCallAreas* calls) {
  std::shared_ptr<const CallRoute> dropped;  // after the lock
  absl::MutexLock lock(mu_);
  for (auto route = routes_.begin(); route != routes_.end(); ++route) {
    if ((*route)->calls != calls) continue;
    dropped = std::move(*route);
    routes_.erase(route);
    any_.store(!routes_.empty(), std::memory_order_relaxed);  // loaded by Choose()
    return;
  }
}

void CallRoutes::SetOffer(std::shared_ptr<const DirectOffer> offer) {
  absl::MutexLock lock(mu_);
  offer_.swap(offer);
  any_offer_.store(true, std::memory_order_relaxed);  // loaded by TakeOffer()
}

std::shared_ptr<const DirectOffer> CallRoutes::TakeOffer() {
  if (!any_offer_.load(std::memory_order_relaxed)) return nullptr;  // stored by SetOffer()
  absl::MutexLock lock(mu_);
  any_offer_.store(false, std::memory_order_relaxed);
  return std::exchange(offer_, nullptr);
}

}  // namespace grpc_cxl::internal
