// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/registered_address.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/log/log.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/event_engine/acceptor_registry.h"
#include "grpc_cxl/event_engine/settings_registry.h"
#include "grpc_cxl/rendezvous/dead_addresses.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"

namespace grpc_cxl::internal {
namespace {

using grpc_event_engine::experimental::EventEngine;

// Between attempts: from the first, which another server that cleans up may have spoilt, to the
// last.
constexpr EventEngine::Duration kFirstRetry = std::chrono::milliseconds(100);
constexpr EventEngine::Duration kLastRetry = std::chrono::seconds(1);

}  // namespace

std::shared_ptr<RegisteredAddress> RegisteredAddress::Register(
    std::shared_ptr<EventEngine> executor, Watchdog* watchdog, const CxlAddress& address,
    const ServerLimits& limits) {
  const absl::StatusOr<ListenContext> context =
      SettingsRegistry<ListenContext>::Find(address.options);
  std::shared_ptr<RegisteredAddress> registered(new RegisteredAddress(
      std::move(executor), watchdog, address, limits, context.ok() && context->direct_calls));
  if (context.ok()) {
    const absl::StatusOr<RendezvousDirectory> directory =
        RendezvousDirectory::Find(context->settings.directory);
    if (directory.ok()) RemoveDeadAddresses(*directory);
    registered->capacity_ = CapacityOf(context->server, context->settings);
    RegisterAddress(context->server, registered);
  }
  registered->Try();
  return registered;
}

RegisteredAddress::RegisteredAddress(std::shared_ptr<EventEngine> executor, Watchdog* watchdog,
                                     const CxlAddress& address, const ServerLimits& limits,
                                     bool may_have_direct_calls)
    : executor_(std::move(executor)),
      watchdog_(watchdog),
      address_(address),
      limits_(limits),
      may_have_direct_calls_(may_have_direct_calls) {}

void RegisteredAddress::Start(Acceptor::EndpointCallback on_endpoint) {
  absl::MutexLock lock(mu_);
  if (stopped_) return;
  if (acceptor_ != nullptr) acceptor_->Start(on_endpoint);
  on_endpoint_ = std::move(on_endpoint);
}

void RegisteredAddress::TryNoMore() {
  std::shared_ptr<CallHandler> handler;
  absl::MutexLock lock(mu_);
  stopped_ = true;
  handler_.swap(handler);
}

void RegisteredAddress::Stop() {
  Acceptor::EndpointCallback dropped;
  std::shared_ptr<Acceptor> acceptor;
  std::shared_ptr<CallHandler> handler;
  {
    absl::MutexLock lock(mu_);
    stopped_ = true;
    dropped = std::exchange(on_endpoint_, nullptr);
    acceptor = std::exchange(acceptor_, nullptr);
    handler = std::exchange(handler_, nullptr);
  }
  if (acceptor != nullptr) acceptor->Stop();
}

void RegisteredAddress::EnableDirectCallsLater(std::shared_ptr<CallHandler> handler) {
  absl::MutexLock lock(mu_);
  if (stopped_) return;
  if (acceptor_ != nullptr && handler != nullptr) {
    acceptor_->EnableDirectCalls(std::move(handler));
  } else {
    handler_.swap(handler);
  }
}

bool RegisteredAddress::IsRegistered() {
  absl::MutexLock lock(mu_);
  return acceptor_ != nullptr;
}

void RegisteredAddress::Try() {
  absl::StatusOr<std::shared_ptr<Acceptor>> acceptor =
      Acceptor::Listen(executor_, watchdog_, address_, limits_);
  absl::ReleasableMutexLock lock(mu_);
  if (acceptor.ok()) {
    if (stopped_) {
      lock.Release();
      return (*acceptor)->Stop();
    }
    acceptor_ = *std::move(acceptor);
    if (handler_ != nullptr) acceptor_->EnableDirectCalls(std::exchange(handler_, nullptr));
    if (on_endpoint_) acceptor_->Start(on_endpoint_);
    return;
  }
  if (stopped_) return;
  // The second time: the first one may pass at once.
  if (++failures_ == 2) {
    LOG(WARNING) << "clients on this host reach this server over the network only, until this "
                    "works: "
                 << acceptor.status().message();
  }
  const EventEngine::Duration delay = kFirstRetry * (1 << std::min(failures_ - 1, 10));
  executor_->RunAfter(std::min(delay, kLastRetry), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Try();
  });
}

}  // namespace grpc_cxl::internal
