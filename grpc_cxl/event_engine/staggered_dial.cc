// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/staggered_dial.h"

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
#include "grpc_cxl/event_engine/replica_connections.h"
#include "grpc_cxl/event_engine/socket_attempt.h"
#include "grpc_cxl/event_engine/spread_connections.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "grpc_cxl/rendezvous/replica_name.h"

namespace grpc_cxl::internal {
namespace {

bool IsServed(const ServiceName& name, const EndpointSettings& settings) {
  const absl::StatusOr<RendezvousDirectory> directory =
      RendezvousDirectory::Open(settings.directory);
  return directory.ok() && IsRegistered(*directory, name);
}

}  // namespace

void StaggeredDial::Start(ConnectRequest request, std::vector<ServiceName> names,
                          Clock::time_point deadline, EventEngine::OnConnectCallback on_connect) {
  std::shared_ptr<StaggeredDial>(
      new StaggeredDial(std::move(request), std::move(names), deadline, std::move(on_connect)))
      ->Begin(1);
}

void StaggeredDial::Begin(size_t count) {
  std::vector<ServiceName> next;
  bool any_left;
  int begun;
  {
    absl::MutexLock lock(mu_);
    if (!on_connect_) return;
    for (; count > 0 && !names_.empty(); --count) {
      next.push_back(std::move(names_.back()));
      names_.pop_back();
      ++running_;
    }
    any_left = !names_.empty();
    begun = ++begun_;
  }
  for (const ServiceName& name : next) Dial(name, !any_left);
  if (!any_left) return;
  {
    absl::MutexLock lock(mu_);
    if (begun != begun_) return;  // one has failed at once
  }
  request_.executor->RunAfter(kDelay, [weak = weak_from_this(), begun] {
    if (const auto self = weak.lock()) self->OnDelay(begun);
  });
}

void StaggeredDial::Dial(const ServiceName& name, bool is_last) {
  ConnectRequest request = request_;
  request.name = name;
  EventEngine::Duration left =
      std::max<EventEngine::Duration>(deadline_ - Clock::now(), std::chrono::milliseconds(1));
  if (!is_last) left = std::min(left, kPatience);
  const auto attempt = std::make_shared<SocketAttempt>(
      std::move(request), [self = shared_from_this(), name](Result result) {
        self->OnResult(name, std::move(result));
      });
  {
    absl::MutexLock lock(mu_);
    if (!on_connect_) return;
    attempts_.push_back(attempt);
  }
  attempt->Start(left);
}

void StaggeredDial::OnDelay(int begun) {
  size_t count;
  {
    absl::MutexLock lock(mu_);
    if (begun != begun_) return;
    if (request_.settings.users.secret.has_value()) at_once_ *= 2;
    count = at_once_;
  }
  Begin(count);
}

bool StaggeredDial::Redial(const ServiceName& name, const absl::Status& why) {
  if (redials_ == 0 || !absl::IsUnavailable(why) || Clock::now() >= deadline_ ||
      !IsServed(name, request_.settings)) {
    return false;
  }
  --redials_;
  names_.push_back(name);
  return true;
}

void StaggeredDial::OnResult(const ServiceName& name, Result result) {
  EventEngine::OnConnectCallback on_connect;
  std::vector<std::weak_ptr<SocketAttempt>> others;
  {
    absl::MutexLock lock(mu_);
    if (!on_connect_) return;  // another was faster
    --running_;
    bool goes_on = false;
    if (!result.ok()) {
      if (!absl::IsUnavailable(result.status())) telling_ = result.status();
      goes_on = !names_.empty() && Clock::now() < deadline_;
      if (!goes_on && running_ > 0) return;
      goes_on = goes_on || Redial(name, result.status());
      if (!goes_on && !telling_.ok()) result = telling_;
    }
    if (!goes_on) {
      on_connect = std::exchange(on_connect_, nullptr);
      others.swap(attempts_);
    }
  }
  if (!on_connect) return Begin(1);
  for (const auto& weak : others) {
    if (const auto other = weak.lock()) other->Finish(absl::CancelledError("another was faster"));
  }
  if (result.ok() && IsReplicaName(name)) {
    ConnectRequest request = request_;
    request.name = name;
    if (request.spreads) result = SpreadConnections::Keep(request, *std::move(result));
    if (request.replicas != nullptr) result = request.replicas->Enter(request, *std::move(result));
  }
  on_connect(std::move(result));
}

}  // namespace grpc_cxl::internal
