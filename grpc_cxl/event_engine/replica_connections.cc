// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/replica_connections.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "absl/base/no_destructor.h"
#include "absl/log/check.h"
#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/endpoint/accompanied_endpoint.h"
#include "grpc_cxl/event_engine/connector.h"
#include "grpc_cxl/event_engine/servers_of_name.h"
#include "grpc_cxl/rendezvous/replica_name.h"

namespace grpc_cxl::internal {
namespace {

constexpr auto kPatience = std::chrono::seconds(5);

// A server that ends removes its name first, and gRPC connects again when a connection has ended.
constexpr auto kSettle = std::chrono::milliseconds(20);

// What all replicas of a name begin with.
std::string BeginOf(const ServiceName& service) { return absl::StrCat(service.str(), "="); }

// Whether connections end with gRPC's.
bool FollowGrpc(const ServiceName& service) { return !ServiceName::Parse(service.str()).ok(); }

void DropAll(const std::map<std::string, std::shared_ptr<HeldEndpoint>>& held) {
  for (const auto& [name, endpoint] : held) endpoint->Drop();
}

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

std::shared_ptr<ReplicaConnections> ReplicaConnections::For(const std::string& key, int settings) {
  static absl::NoDestructor<Table> table;
  absl::MutexLock lock(table->mu);
  std::weak_ptr<ReplicaConnections>& known = table->all[{key, settings}];
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
  DropAll(held_);
}

std::unique_ptr<ReplicaConnections::EventEngine::Endpoint> ReplicaConnections::Enter(
    const ConnectRequest& request, std::unique_ptr<EventEngine::Endpoint> connection) {
  const std::string& name = request.name.str();
  const ServiceName service = ServiceOf(request.name);
  Held dropped;
  {
    absl::MutexLock lock(mu_);
    const bool same = request_.has_value() && ServiceOf(request_->name).str() == service.str();
    request_ = request;            // a server of all addresses is checked for the last one of them
    request_->replicas = nullptr;  // this
    request_->pool_key = "";       // the blocks of direct calls are their connection's
    request_->await_greeting = false;
    request_->calls_only = true;
    request_->spreads = false;  // gRPC has no part in them
    if (!same) {
      dropped = TakeHeld();
      const DirectoryCandidates& directory = request.settings.directory;
      arrivals_ = Arrivals::Of(directory, request.executor, request.poller->watchdog()->Assign());
      arrivals_->Add(shared_from_this(), {absl::StrCat(service.FileStem(), "=")});
    }
    places_.Carry(name);
    if (auto ours = held_.extract(name)) dropped.insert(std::move(ours));
    LookAt(Clock::now() + kSettle);
  }
  DropAll(dropped);
  return std::make_unique<AccompaniedEndpoint>(std::move(connection),
                                               std::make_shared<Lease>(weak_from_this(), name));
}

void ReplicaConnections::Leave(const std::string& name) {
  absl::MutexLock lock(mu_);
  places_.Leave(name);
  LookAt(Clock::now() + kSettle);
}

ReplicaConnections::Held ReplicaConnections::TakeHeld() {
  places_.EndAll();
  attempts_.clear();
  return std::exchange(held_, {});
}

void ReplicaConnections::OnArrival() {
  {
    absl::MutexLock lock(mu_);
    places_.Renew();
  }
  Look();
}

void ReplicaConnections::LookAt(Clock::time_point when) {
  if (when >= look_due_) return;
  look_due_ = when;  // instead of a later one, whose timer then does nothing
  const Clock::duration pause = std::max(when - Clock::now(), Clock::duration::zero());
  request_->executor->RunAfter(pause, [weak = weak_from_this(), when] {
    const std::shared_ptr<ReplicaConnections> self = weak.lock();
    if (self == nullptr) return;
    {
      absl::MutexLock lock(self->mu_);
      if (self->look_due_ != when) return;
      self->look_due_ = kNever;
    }
    self->Look();
  });
}

void ReplicaConnections::Look() {
  std::optional<ConnectRequest> request;
  Held dropped;
  bool ended = false;
  {
    absl::MutexLock lock(mu_);
    request = request_;
    if (!request.has_value()) return;
    const ServiceName service = ServiceOf(request->name);
    ended = FollowGrpc(service) && !places_.AnyCarried(BeginOf(service));
    if (ended) dropped = TakeHeld();
  }
  DropAll(dropped);
  if (ended) return;
  const ServiceName service = ServiceOf(request->name);
  std::vector<std::string> found;
  for (const ServiceName& name : ServersOf(service, request->settings)) {
    if (IsReplicaName(name)) found.push_back(name.str());
  }
  std::vector<std::pair<std::string, uint64_t>> wanted;
  {
    absl::MutexLock lock(mu_);
    if (ServiceOf(request_->name).str() != service.str()) return;
    for (const std::string& name : places_.Take(found, Clock::now())) {
      wanted.emplace_back(name, attempts_[name] = ++last_attempt_);
    }
    if (const auto next = places_.next()) LookAt(*next);
  }
  for (const auto& [name, attempt] : wanted) {
    ConnectRequest one = *request;
    one.name = ServiceName::Reserved(name);
    one.poller = request->poller->watchdog()->Assign();
    Connect(std::move(one), kPatience,
            [weak = weak_from_this(), name = name, attempt = attempt](auto result) {
              const std::shared_ptr<ReplicaConnections> self = weak.lock();
              if (self != nullptr) self->OnConnected(name, attempt, std::move(result));
            });
  }
}

bool ReplicaConnections::IsLast(const std::string& name, uint64_t attempt) const {
  const auto last = attempts_.find(name);
  return last != attempts_.end() && last->second == attempt;
}

void ReplicaConnections::OnConnected(const std::string& name, uint64_t attempt,
                                     ConnectAttempt::Result result) {
  absl::MutexLock lock(mu_);
  if (!IsLast(name, attempt)) return;
  if (!result.ok()) {
    VLOG(1) << name << ": " << result.status().message();
    return LookAt(places_.Failed(name, result.status(), Clock::now()));
  }
  if (!places_.Hold(name, Clock::now())) return;  // gRPC was faster, or has gone
  auto held = std::make_shared<HeldEndpoint>(request_->executor, *std::move(result),
                                             [weak = weak_from_this(), name, attempt] {
                                               const auto self = weak.lock();
                                               if (self != nullptr) self->OnEnded(name, attempt);
                                             });
  held->Start();
  CHECK(held_.emplace(name, std::move(held)).second) << name << " has a connection of ours";
}

void ReplicaConnections::OnEnded(const std::string& name, uint64_t attempt) {
  Held dropped;
  absl::MutexLock lock(mu_);
  if (!IsLast(name, attempt)) return;
  auto ours = held_.extract(name);
  if (!ours) return;
  dropped.insert(std::move(ours));
  LookAt(places_.Ended(name, Clock::now()));
}

}  // namespace grpc_cxl::internal
