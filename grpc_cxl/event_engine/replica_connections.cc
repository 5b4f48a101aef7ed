// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/replica_connections.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "absl/base/no_destructor.h"
#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/endpoint/accompanied_endpoint.h"
#include "grpc_cxl/event_engine/connector.h"
#include "grpc_cxl/event_engine/servers_of_name.h"
#include "grpc_cxl/rendezvous/replica_name.h"

namespace grpc_cxl::internal {
namespace {

constexpr auto kPatience = std::chrono::seconds(5);

// After a failure, and how often that doubles: a dead replica's entry stays until another has its
// number, and a refusal may pass.
constexpr auto kRetry = std::chrono::seconds(1);
constexpr int kMostDoublings = 4;

// A server that ends removes its name first, one that dies does not.
constexpr auto kSettle = std::chrono::milliseconds(20);

struct Table {
  absl::Mutex mu;
  std::map<std::pair<std::string, int>, std::weak_ptr<ReplicaConnections>> all ABSL_GUARDED_BY(mu);
};

}  // namespace

class ReplicaConnections::Lease {
 public:
  Lease(std::weak_ptr<ReplicaConnections> connections, std::string name)
      : connections_(std::move(connections)), name_(std::move(name)) {}
  ~Lease() {
    if (const auto connections = connections_.lock()) connections->Leave(name_);
  }

 private:
  const std::weak_ptr<ReplicaConnections> connections_;
  const std::string name_;
};

std::shared_ptr<ReplicaConnections> ReplicaConnections::For(const std::string& service,
                                                            int settings) {
  static absl::NoDestructor<Table> table;
  absl::MutexLock lock(table->mu);
  std::weak_ptr<ReplicaConnections>& known = table->all[{service, settings}];
  std::shared_ptr<ReplicaConnections> connections = known.lock();
  if (connections != nullptr) return connections;
  connections.reset(new ReplicaConnections);
  known = connections;
  // Keys of channels that are gone do not pile up.
  std::erase_if(table->all, [](const auto& entry) { return entry.second.expired(); });
  return connections;
}

ReplicaConnections::~ReplicaConnections() {
  absl::MutexLock lock(mu_);
  for (auto& [name, replica] : replicas_) {
    if (replica.held != nullptr) replica.held->Drop();
  }
}

std::unique_ptr<ReplicaConnections::EventEngine::Endpoint> ReplicaConnections::Enter(
    const ConnectRequest& request, std::unique_ptr<EventEngine::Endpoint> connection) {
  const std::string& name = request.name.str();
  std::shared_ptr<HeldEndpoint> dropped;
  {
    absl::MutexLock lock(mu_);
    if (!request_.has_value()) {
      request_ = request;
      request_->replicas = nullptr;  // this
      request_->pool_key = "";       // the blocks of direct calls are their connection's
      request_->calls_only = true;
      request_->spreads = false;  // gRPC has no part in them
      const DirectoryCandidates& directory = request.settings.directory;
      arrivals_ = Arrivals::Of(directory, request.executor, request.poller->watchdog()->Assign());
      arrivals_->Add(shared_from_this(), {absl::StrCat(ServiceOf(request.name).FileStem(), "=")});
    }
    Replica& replica = replicas_[name];
    ++replica.carried;
    dropped = std::move(replica.held);
    LookAfter(kSettle, &ReplicaConnections::look_due_);
  }
  if (dropped != nullptr) dropped->Drop();
  return std::make_unique<AccompaniedEndpoint>(std::move(connection),
                                               std::make_shared<Lease>(weak_from_this(), name));
}

void ReplicaConnections::Leave(const std::string& name) {
  absl::MutexLock lock(mu_);
  --replicas_[name].carried;
  LookAfter(kSettle, &ReplicaConnections::look_due_);
}

void ReplicaConnections::OnArrival() {
  {
    absl::MutexLock lock(mu_);
    failures_ = 0;
  }
  Look();
}

void ReplicaConnections::LookAfter(EventEngine::Duration pause, bool ReplicaConnections::*due) {
  if (std::exchange(this->*due, true)) return;
  request_->executor->RunAfter(pause, [weak = weak_from_this(), due] {
    const std::shared_ptr<ReplicaConnections> self = weak.lock();
    if (self == nullptr) return;
    {
      absl::MutexLock lock(self->mu_);
      (*self).*due = false;
    }
    self->Look();
  });
}

void ReplicaConnections::Look() {
  std::optional<ConnectRequest> request;
  {
    absl::MutexLock lock(mu_);
    request = request_;
  }
  if (!request.has_value()) return;
  std::vector<ConnectRequest> missing;
  const std::vector<ServiceName> found = ServersOf(ServiceOf(request->name), request->settings);
  {
    absl::MutexLock lock(mu_);
    std::erase_if(replicas_, [](const auto& entry) { return !entry.second.IsThere(); });
    for (const ServiceName& name : found) {
      if (!IsReplicaName(name) || replicas_.count(name.str()) > 0) continue;
      if (replicas_.size() >= kMost) break;
      replicas_[name.str()].connecting = true;
      missing.push_back(*request);
      missing.back().name = name;
      missing.back().poller = request->poller->watchdog()->Assign();
    }
  }
  for (ConnectRequest& one : missing) {
    const std::string name = one.name.str();
    Connect(std::move(one), kPatience, [weak = weak_from_this(), name](auto result) {
      const std::shared_ptr<ReplicaConnections> self = weak.lock();
      if (self != nullptr) self->OnConnected(name, std::move(result));
    });
  }
}

void ReplicaConnections::OnConnected(const std::string& name, ConnectAttempt::Result result) {
  absl::MutexLock lock(mu_);
  Replica& replica = replicas_[name];
  replica.connecting = false;
  if (!result.ok()) {
    VLOG(1) << name << ": " << result.status().message();
    if (retry_due_) return;  // one of several of a look
    return LookAfter(kRetry * (1 << std::min(failures_++, kMostDoublings)),
                     &ReplicaConnections::retry_due_);
  }
  failures_ = 0;
  if (replica.carried > 0) return;  // gRPC was faster
  replica.held = std::make_shared<HeldEndpoint>(request_->executor, *std::move(result),
                                                [weak = weak_from_this(), name] {
                                                  const auto self = weak.lock();
                                                  if (self != nullptr) self->OnEnded(name);
                                                });
  replica.held->Start();
}

void ReplicaConnections::OnEnded(const std::string& name) {
  std::shared_ptr<HeldEndpoint> dropped;
  absl::MutexLock lock(mu_);
  const auto found = replicas_.find(name);
  if (found == replicas_.end()) return;
  dropped = std::move(found->second.held);
  LookAfter(kSettle, &ReplicaConnections::look_due_);
}

}  // namespace grpc_cxl::internal
