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
#include "grpc_cxl/event_engine/replica_connections.h"
#include "grpc_cxl/event_engine/servers_of_name.h"
#include "grpc_cxl/event_engine/socket_attempt.h"
#include "grpc_cxl/event_engine/spread_connections.h"
#include "grpc_cxl/event_engine/way_back.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/rendezvous_directory.h"
#include "grpc_cxl/rendezvous/replica_name.h"

namespace grpc_cxl::internal {
namespace {

using grpc_event_engine::experimental::EventEngine;
using Clock = std::chrono::steady_clock;

// How often to try again at once when a server leaves amid the handshake. A successor has its name
// by then; gRPC would try again after its back-off, and calls would fail meanwhile.
constexpr int kRedials = 3;

// Of a replica where there are others: it may be stopped.
constexpr EventEngine::Duration kReplicaPatience = std::chrono::seconds(1);

EventEngine::Duration Left(Clock::time_point deadline) {
  return std::max<EventEngine::Duration>(deadline - Clock::now(), std::chrono::milliseconds(1));
}

bool IsServed(const ConnectRequest& request) {
  const absl::StatusOr<RendezvousDirectory> directory =
      RendezvousDirectory::Open(request.settings.directory);
  return directory.ok() && IsRegistered(*directory, request.name);
}

// The rest of an attempt after `request.name`.
struct Rest {
  std::vector<ServiceName> others;  // to be tried
  Clock::time_point deadline;
  int redials = kRedials;
  absl::Status telling = absl::OkStatus();  // why not a living one; OK: none was alive
};

void Dial(ConnectRequest request, Rest rest, EventEngine::OnConnectCallback on_connect) {
  EventEngine::Duration left = Left(rest.deadline);
  if (!rest.others.empty()) left = std::min(left, kReplicaPatience);
  auto then = [request, rest = std::move(rest),
               on_connect = std::move(on_connect)](ConnectAttempt::Result result) mutable {
    const bool in_time = Clock::now() < rest.deadline;
    if (!result.ok() && !absl::IsUnavailable(result.status())) rest.telling = result.status();
    if (!result.ok() && !rest.others.empty() && in_time) {
      request.name = std::move(rest.others.back());
      rest.others.pop_back();
      return Dial(std::move(request), std::move(rest), std::move(on_connect));
    }
    if (result.ok() && IsReplicaName(request.name)) {
      if (request.spreads) result = SpreadConnections::Keep(request, *std::move(result));
      if (request.replicas != nullptr) {
        result = request.replicas->Enter(request, *std::move(result));
      }
    }
    if (rest.redials > 0 && absl::IsUnavailable(result.status()) && in_time && IsServed(request)) {
      --rest.redials;
      return Dial(std::move(request), std::move(rest), std::move(on_connect));
    }
    if (!result.ok() && !rest.telling.ok()) result = std::move(rest.telling);
    on_connect(std::move(result));
  };
  std::make_shared<SocketAttempt>(std::move(request), std::move(then))->Start(left);
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
  executor->Run([request = std::move(request), timeout,
                 on_connect = std::move(on_connect)]() mutable {
    if (request.way_back != nullptr) {
      ConnectBack(std::move(request), Clock::now() + timeout, std::move(on_connect));
    } else if (const std::optional<RegionOptions> region = request.settings.region) {
      std::make_shared<RegionAttempt>(std::move(request), std::move(on_connect))
          ->Start(*region, timeout);
    } else {
      std::vector<ServiceName> servers = ServersOf(request.name, request.settings);
      request.name = std::move(servers.back());
      servers.pop_back();
      Dial(std::move(request), {.others = std::move(servers), .deadline = Clock::now() + timeout},
           std::move(on_connect));
    }
  });
}

}  // namespace grpc_cxl::internal
