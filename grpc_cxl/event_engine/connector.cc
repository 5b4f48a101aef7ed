// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/connector.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/event_engine/region_attempt.h"
#include "grpc_cxl/event_engine/servers_of_name.h"
#include "grpc_cxl/event_engine/socket_attempt.h"
#include "grpc_cxl/event_engine/staggered_dial.h"
#include "grpc_cxl/event_engine/way_back.h"

namespace grpc_cxl::internal {
namespace {

using grpc_event_engine::experimental::EventEngine;
using Clock = std::chrono::steady_clock;

EventEngine::Duration Left(Clock::time_point deadline) {
  return std::max<EventEngine::Duration>(deadline - Clock::now(), std::chrono::milliseconds(1));
}

void ConnectBack(ConnectRequest request, Clock::time_point deadline,
                 EventEngine::OnConnectCallback on_connect) {
  const std::shared_ptr<WayBack> way = request.way_back;
  way->Await(Left(deadline),
             [request = std::move(request), deadline,
              on_connect = std::move(on_connect)](absl::StatusOr<UniqueFd> line) mutable {
               if (!line.ok()) return on_connect(line.status());
               std::make_shared<SocketAttempt>(std::move(request), std::move(on_connect))
                   ->Start(Left(deadline), *std::move(line));
             });
}

}  // namespace

void Connect(ConnectRequest request, EventEngine::Duration timeout,
             EventEngine::OnConnectCallback on_connect) {
  const std::shared_ptr<EventEngine> executor = request.executor;
  executor->Run(
      [request = std::move(request), timeout, on_connect = std::move(on_connect)]() mutable {
        if (request.way_back != nullptr) {
          ConnectBack(std::move(request), Clock::now() + timeout, std::move(on_connect));
        } else if (const std::optional<RegionOptions> region = request.settings.region) {
          std::make_shared<RegionAttempt>(std::move(request), std::move(on_connect))
              ->Start(*region, timeout);
        } else {
          std::vector<ServiceName> servers = ServersOf(request.name, request.settings);
          StaggeredDial::Start(std::move(request), std::move(servers), Clock::now() + timeout,
                               std::move(on_connect));
        }
      });
}

}  // namespace grpc_cxl::internal
