// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/cxl_engine.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/event_engine/back_server.h"
#include "grpc_cxl/event_engine/channel_target.h"
#include "grpc_cxl/event_engine/connector.h"
#include "grpc_cxl/event_engine/cxl_address.h"
#include "grpc_cxl/event_engine/listener.h"
#include "grpc_cxl/event_engine/network_connect.h"
#include "grpc_cxl/event_engine/replica_connections.h"
#include "grpc_cxl/event_engine/resolver.h"
#include "grpc_cxl/event_engine/settings_registry.h"
#include "grpc_cxl/event_engine/status_table.h"
#include "grpc_cxl/event_engine/way_back.h"
#include "grpc_cxl/payload/pool_directory.h"
#include "grpc_cxl/polling/callers_queue.h"
#include "grpc_cxl/polling/usable_cores.h"
#include "grpc_cxl/rendezvous/replica_name.h"

namespace grpc_cxl::internal {
namespace {

using grpc_event_engine::experimental::EndpointConfig;
using grpc_event_engine::experimental::EventEngine;
using grpc_event_engine::experimental::MemoryAllocator;
using grpc_event_engine::experimental::MemoryAllocatorFactory;

// One polling thread for every two cores, and at most four: enough to fill the memory bus,
// few enough to leave the cores to the application.
int PollerCount(int wanted) { return wanted > 0 ? wanted : std::clamp(UsableCores() / 2, 1, 4); }

}  // namespace

CxlEngine::CxlEngine(std::shared_ptr<EventEngine> inner, int polling_threads)
    : inner_(std::move(inner)), watchdog_(new Watchdog(PollerCount(polling_threads))) {
  StatusTable::OfProcess().SetWatchdog(watchdog_);
}

std::shared_ptr<EventEngine> CxlEngine::OfSettings(int number) {
  absl::MutexLock lock(mu_);
  std::shared_ptr<CxlEngine>& engine = of_settings_[number];
  if (engine == nullptr) engine.reset(new CxlEngine(*this, number));
  return engine;
}

absl::StatusOr<std::unique_ptr<EventEngine::Listener>> CxlEngine::CreateListener(
    Listener::AcceptCallback on_accept, absl::AnyInvocable<void(absl::Status)> on_shutdown,
    const EndpointConfig& config, std::unique_ptr<MemoryAllocatorFactory> allocators) {
  return MakeListener(inner_, watchdog_, std::move(on_accept), std::move(on_shutdown), config,
                      std::move(allocators));
}

EventEngine::ConnectionHandle CxlEngine::Connect(OnConnectCallback on_connect,
                                                 const ResolvedAddress& address,
                                                 const EndpointConfig& config,
                                                 MemoryAllocator allocator, Duration timeout) {
  const std::optional<CxlAddress> ours = DecodeAddress(address);
  const std::optional<int> own = config.GetInt(kSettingsArg);
  if (!ours.has_value() && !own.has_value()) {  // no credentials of ours
    return inner_->Connect(std::move(on_connect), address, config, std::move(allocator), timeout);
  }
  const int number = own.value_or(SettingsRegistry<ChannelSettings>::kDefaults);
  const absl::StatusOr<ChannelSettings> settings = SettingsRegistry<ChannelSettings>::Find(number);
  if (!settings.ok()) {
    inner_->Run([on_connect = std::move(on_connect), status = settings.status()]() mutable {
      on_connect(std::move(status));
    });
    return ConnectionHandle::kInvalid;
  }
  if (!ours.has_value()) {
    return ConnectToAddress(
        {.engine = inner_, .watchdog = watchdog_, .settings = *settings, .number = number},
        std::move(on_connect), address, config, std::move(allocator), timeout);
  }
  const bool direct = config.GetInt(kDirectArg) == 1;
  const int serve_back = config.GetInt(kServeBackArg).value_or(0);
  if (const std::optional<int> way_back = config.GetInt(kWayBackArg)) {
    return ConnectBack(*way_back, number, *settings, direct, std::move(on_connect), timeout);
  }
  const std::string service = WithServeBack(ServiceOf(ours->name).str(), serve_back);
  internal::Connect({.executor = inner_,
                     .poller = watchdog_->Assign(),
                     .name = ours->name,
                     .settings = *settings,
                     .routes = direct ? CallRoutes::For(service, number) : nullptr,
                     .pool_key = ClientPoolKey(service, number),
                     .replicas = direct ? ReplicaConnections::For(service, number) : nullptr,
                     .spreads = config.GetInt(kSpreadsArg) == 1 && MakesCallsAgain(config),
                     .serve_back = serve_back},
                    timeout, std::move(on_connect));
  // Not cancellable: an attempt is over in microseconds, and gRPC 1.83 never cancels.
  return ConnectionHandle::kInvalid;
}

EventEngine::ConnectionHandle CxlEngine::ConnectBack(int way_back, int number,
                                                     const ChannelSettings& settings, bool direct,
                                                     OnConnectCallback on_connect,
                                                     Duration timeout) {
  std::shared_ptr<WayBack> back = Numbered<WayBack>::Find(way_back);
  if (back == nullptr) {
    inner_->Run([on_connect = std::move(on_connect)]() mutable { on_connect(LifeBond::Reason()); });
    return ConnectionHandle::kInvalid;
  }
  const std::string key = WayBackKey(way_back);
  internal::Connect({.executor = inner_,
                     .poller = watchdog_->Assign(),
                     .name = BackName(),
                     .settings = settings,
                     .routes = direct ? CallRoutes::For(key, number) : nullptr,
                     .pool_key = ClientPoolKey(key, number),
                     .way_back = std::move(back)},
                    timeout, std::move(on_connect));
  return ConnectionHandle::kInvalid;
}

bool CxlEngine::CancelConnect(ConnectionHandle handle) {
  return handle != ConnectionHandle::kInvalid && inner_->CancelConnect(handle);
}

// Not forwarded: the posix engine's IsWorkerThread() aborts.
bool CxlEngine::IsWorkerThread() { return Poller::Current() != nullptr; }

absl::StatusOr<std::unique_ptr<EventEngine::DNSResolver>> CxlEngine::GetDNSResolver(
    const DNSResolver::ResolverOptions& options) {
  absl::StatusOr<std::unique_ptr<DNSResolver>> inner = inner_->GetDNSResolver(options);
  if (!inner.ok()) return inner.status();
  return MakeResolver(inner_, *std::move(inner), settings_);
}

void CxlEngine::Run(Closure* closure) {
  if (Poller::Current() == nullptr && CallersQueue::Current() == nullptr) {
    return inner_->Run(closure);
  }
  Run([closure] { closure->Run(); });
}

void CxlEngine::Run(absl::AnyInvocable<void()> closure) {
  CallersQueue* const callers = CallersQueue::Current();
  if (callers != nullptr && callers->Add(closure)) return;
  Poller* const poller = Poller::Current();
  if (poller == nullptr) return inner_->Run(std::move(closure));
  if (poller->closure_times().AreShort()) return poller->Enqueue(std::move(closure));
  inner_->Run([poller, closure = std::move(closure)]() mutable {
    ClosureTimes::Timing timing(poller->closure_times(), SteadyNs());
    closure();
    timing.End();
  });
}

EventEngine::TaskHandle CxlEngine::RunAfter(Duration delay, Closure* closure) {
  return inner_->RunAfter(delay, closure);
}

EventEngine::TaskHandle CxlEngine::RunAfter(Duration delay, absl::AnyInvocable<void()> closure) {
  return inner_->RunAfter(delay, std::move(closure));
}

bool CxlEngine::Cancel(TaskHandle handle) { return inner_->Cancel(handle); }

}  // namespace grpc_cxl::internal
