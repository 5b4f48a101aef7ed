// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/connector.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/event_engine/region_attempt.h"
#include "grpc_cxl/event_engine/socket_attempt.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"

namespace grpc_cxl::internal {
namespace {

using grpc_event_engine::experimental::EventEngine;
using Clock = std::chrono::steady_clock;

// How often to try again at once when a server leaves amid the handshake. A successor has its name
// by then; gRPC would try again after its back-off, and calls would fail meanwhile.
constexpr int kRedials = 3;

bool IsServed(const ConnectRequest& request) {
  const absl::StatusOr<RendezvousDirectory> directory =
      RendezvousDirectory::Open(request.settings.directory);
  return directory.ok() && IsRegistered(*directory, request.name);
}

void Dial(ConnectRequest request, Clock::time_point deadline, int redials,
          EventEngine::OnConnectCallback on_connect) {
  const EventEngine::Duration left =
      std::max<EventEngine::Duration>(deadline - Clock::now(), std::chrono::milliseconds(1));
  auto then = [request, deadline, redials,
               on_connect = std::move(on_connect)](ConnectAttempt::Result result) mutable {
    if (redials == 0 || !absl::IsUnavailable(result.status()) || !IsServed(request)) {
      return on_connect(std::move(result));
    }
    Dial(std::move(request), deadline, redials - 1, std::move(on_connect));
  };
  std::make_shared<SocketAttempt>(std::move(request), std::move(then))->Start(left);
}

}  // namespace

void Connect(ConnectRequest request, EventEngine::Duration timeout,
             EventEngine::OnConnectCallback on_connect) {
  const std::shared_ptr<EventEngine> executor = request.executor;
  executor->Run(
      [request = std::move(request), timeout, on_connect = std::move(on_connect)]() mutable {
        if (const std::optional<RegionOptions> region = request.settings.region) {
          std::make_shared<RegionAttempt>(std::move(request), std::move(on_connect))
              ->Start(*region, timeout);
        } else {
          Dial(std::move(request), Clock::now() + timeout, kRedials, std::move(on_connect));
        }
      });
}

}  // namespace grpc_cxl::internal
