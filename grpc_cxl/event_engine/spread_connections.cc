// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/spread_connections.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/base/no_destructor.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/endpoint/accompanied_endpoint.h"
#include "grpc_cxl/event_engine/servers_of_name.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "grpc_cxl/rendezvous/replica_name.h"

namespace grpc_cxl::internal {
namespace {

// After the first connection, for a replica that came before the watch. By then gRPC is connected
// to the others.
constexpr auto kFirstLook = std::chrono::seconds(1);

// So long nothing is drained again for the same replica: gRPC may not get a connection to it, or
// may not want one.
constexpr int64_t kAgainNs = 30'000'000'000;

struct Table {
  absl::Mutex mu;
  std::map<std::string, std::weak_ptr<SpreadConnections>> all ABSL_GUARDED_BY(mu);
  // When something was drained last, by pool key and replica.
  std::map<std::pair<std::string, std::string>, int64_t> drained ABSL_GUARDED_BY(mu);
};

Table& TheTable() {
  static absl::NoDestructor<Table> table;
  return *table;
}

// Whether one may be drained for `name` now; it then counts as drained for.
bool MayDrainFor(const std::string& pool_key, const std::string& name) {
  Table& table = TheTable();
  const int64_t now = SteadyNs();
  absl::MutexLock lock(table.mu);
  std::erase_if(table.drained, [now](const auto& entry) { return now - entry.second > kAgainNs; });
  return table.drained.emplace(std::pair(pool_key, name), now).second;
}

bool Listens(const ServiceName& name, const EndpointSettings& settings) {
  const absl::StatusOr<RendezvousDirectory> directory =
      RendezvousDirectory::Find(settings.directory);
  return directory.ok() && Dial(*directory, name).ok();
}

}  // namespace

std::unique_ptr<SpreadConnections::EventEngine::Endpoint> SpreadConnections::Keep(
    const ConnectRequest& request, std::unique_ptr<EventEngine::Endpoint> connection) {
  Table& table = TheTable();
  auto endpoint = std::make_unique<DrainableEndpoint>(std::move(connection), request.executor);
  std::shared_ptr<SpreadConnections> connections;
  bool first = false;
  {
    absl::MutexLock lock(table.mu);
    std::erase_if(table.all, [](const auto& entry) { return entry.second.expired(); });
    std::weak_ptr<SpreadConnections>& known = table.all[request.pool_key];
    connections = known.lock();
    first = connections == nullptr;
    if (first) connections.reset(new SpreadConnections(request));
    known = connections;
  }
  {
    absl::MutexLock lock(connections->mu_);
    std::erase_if(connections->connections_,
                  [](const auto& entry) { return entry.second.expired(); });
    connections->connections_.emplace(request.name.str(), endpoint->reads());
  }
  if (first) connections->Watch();
  return std::make_unique<AccompaniedEndpoint>(std::move(endpoint), std::move(connections));
}

SpreadConnections::SpreadConnections(const ConnectRequest& request)
    : request_([&] {
        ConnectRequest kept = request;
        kept.routes = nullptr;
        kept.replicas = nullptr;
        return kept;
      }()) {}

void SpreadConnections::Watch() {
  {
    absl::MutexLock lock(mu_);
    arrivals_ = Arrivals::Of(request_.settings.directory, request_.executor,
                             request_.poller->watchdog()->Assign());
    arrivals_->Add(shared_from_this(), {absl::StrCat(ServiceOf(request_.name).FileStem(), "=")});
  }
  request_.executor->RunAfter(kFirstLook, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->OnArrival();
  });
}

void SpreadConnections::OnArrival() {
  std::vector<ServiceName> missing = ServersOf(ServiceOf(request_.name), request_.settings);
  {
    absl::MutexLock lock(mu_);
    std::erase_if(connections_, [](const auto& entry) { return entry.second.expired(); });
    std::erase_if(missing, [this](const ServiceName& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return !IsReplicaName(name) || connections_.count(name.str()) > 0;
    });
  }
  if (std::none_of(missing.begin(), missing.end(), [this](const ServiceName& name) {
        return Listens(name, request_.settings) && MayDrainFor(request_.pool_key, name.str());
      })) {
    return;
  }
  std::vector<std::weak_ptr<DrainableReads>> drained;
  {
    absl::MutexLock lock(mu_);
    if (connections_.empty()) return;
    const auto [begin, end] = connections_.equal_range(connections_.begin()->first);
    for (auto it = begin; it != end; ++it) drained.push_back(it->second);
    connections_.erase(begin, end);
  }
  for (const std::weak_ptr<DrainableReads>& weak : drained) {
    if (const std::shared_ptr<DrainableReads> connection = weak.lock()) connection->Drain();
  }
}

}  // namespace grpc_cxl::internal
