// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/connector.h"

#include <memory>
#include <optional>
#include <utility>

#include "grpc_cxl/event_engine/region_attempt.h"
#include "grpc_cxl/event_engine/socket_attempt.h"

namespace grpc_cxl::internal {

using grpc_event_engine::experimental::EventEngine;

void Connect(ConnectRequest request, EventEngine::Duration timeout,
             EventEngine::OnConnectCallback on_connect) {
  const std::shared_ptr<EventEngine> executor = request.executor;
  executor->Run([request = std::move(request), timeout,
                 on_connect = std::move(on_connect)]() mutable {
    if (const std::optional<RegionOptions> region = request.settings.region) {
      std::make_shared<RegionAttempt>(std::move(request), std::move(on_connect))
          ->Start(*region, timeout);
    } else {
      std::make_shared<SocketAttempt>(std::move(request), std::move(on_connect))->Start(timeout);
    }
  });
}

}  // namespace grpc_cxl::internal
