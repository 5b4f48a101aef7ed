// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/local_first.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "absl/log/log.h"
#include "absl/status/status.h"
#include "grpc_cxl/event_engine/connector.h"
#include "grpc_cxl/event_engine/path_counters.h"

namespace grpc_cxl::internal {
namespace {

using grpc_event_engine::experimental::EventEngine;
using Clock = std::chrono::steady_clock;

}  // namespace

EventEngine::OnConnectCallback CountNetwork(EventEngine::OnConnectCallback on_connect) {
  return [on_connect = std::move(on_connect)](ConnectAttempt::Result result) mutable {
    if (result.ok()) PathCounters::OfProcess().network.Add();
    on_connect(std::move(result));
  };
}

void ConnectLocalFirst(LocalFirstRequest request, EventEngine::Duration timeout,
                       EventEngine::OnConnectCallback on_connect) {
  const Clock::time_point deadline = Clock::now() + timeout;
  ConnectRequest local = request.local;
  Connect(std::move(local), timeout / 4,
          [request = std::move(request), deadline,
           on_connect = std::move(on_connect)](ConnectAttempt::Result result) mutable {
            if (result.ok()) return on_connect(std::move(result));
            if (absl::IsUnavailable(result.status())) {  // it is dead, or about to be
              VLOG(1) << request.local.name.str() << ": " << result.status().message();
            } else {
              LOG_EVERY_N_SEC(WARNING, 10)
                  << "a server of this host has registered " << request.local.name.str()
                  << ", but is reached over the network: " << result.status().message();
              PathCounters::OfProcess().declined.Add();
            }
            const EventEngine::Duration left = std::max<EventEngine::Duration>(
                deadline - Clock::now(), std::chrono::milliseconds(1));
            request.local.executor->Connect(CountNetwork(std::move(on_connect)), request.address,
                                            *request.config, std::move(request.allocator), left);
          });
}

}  // namespace grpc_cxl::internal
