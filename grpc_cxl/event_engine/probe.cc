// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/probe.h"

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "absl/base/no_destructor.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "grpc_cxl/event_engine/connector.h"
#include "grpc_cxl/event_engine/cxl_address.h"
#include "grpc_cxl/event_engine/local_server.h"
#include "grpc_cxl/polling/watchdog.h"

namespace grpc_cxl::internal {

using grpc_event_engine::experimental::EventEngine;

namespace {

constexpr std::chrono::seconds kPatience{3};

absl::StatusOr<std::string> Try(const ServiceName& name, const ChannelSettings& settings,
                                std::function<absl::Status(int)> check_server) {
  static Watchdog* const watchdog = new Watchdog(1);  // never destroyed, as its threads
  // Nor is this: an attempt that is over may leave a timer behind, and gRPC aborts the process when
  // an engine with timers is destroyed.
  static const absl::NoDestructor<std::shared_ptr<EventEngine>> engine(
      grpc_event_engine::experimental::GetDefaultEventEngine());
  absl::StatusOr<std::string> reached;
  absl::Notification done;
  Connect({.executor = *engine,
           .poller = watchdog->Assign(),
           .name = name,
           .settings = settings,
           .routes = nullptr,
           .pool_key = "",
           .check_server = std::move(check_server),
           .is_probe = true},
          kPatience, [&](absl::StatusOr<std::unique_ptr<EventEngine::Endpoint>> endpoint) {
            if (endpoint.ok()) {
              const auto& peer = (*endpoint)->GetPeerAddress();
              const absl::string_view text(reinterpret_cast<const char*>(peer.address()),
                                           peer.size());
              reached = std::string(text.substr(text.find('@') + 1));
            } else {
              reached = endpoint.status();
            }
            endpoint = absl::CancelledError();
            done.Notify();
          });
  done.WaitForNotification();
  return reached;
}

}  // namespace

absl::StatusOr<std::string> ProbeName(const ServiceName& name, const ChannelSettings& settings) {
  return Try(name, settings, nullptr);
}

AddressProbe ProbeAddress(const sockaddr* address, socklen_t size, const std::string& host,
                          const ChannelSettings& settings) {
  AddressProbe probe;
  for (LocalServer& server : FindLocalServers(EventEngine::ResolvedAddress(address, size), host,
                                              settings, &probe.why_none)) {
    probe.servers.push_back({server.name, Try(server.name, settings, std::move(server.check))});
    if (probe.servers.back().reached.ok()) break;
  }
  return probe;
}

}  // namespace grpc_cxl::internal
