// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_LISTENER_H_
#define GRPC_CXL_EVENT_ENGINE_LISTENER_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>

#include "absl/status/statusor.h"
#include "grpc_cxl/polling/watchdog.h"

namespace grpc_cxl::internal {

// A listener for `cxl:` addresses that passes other addresses to a listener of `inner`, as
// EventEngine::CreateListener. Those of our credentials (CxlListening) are registered for the
// clients of this host besides.
absl::StatusOr<std::unique_ptr<grpc_event_engine::experimental::EventEngine::Listener>>
MakeListener(std::shared_ptr<grpc_event_engine::experimental::EventEngine> inner,
             Watchdog* watchdog,
             grpc_event_engine::experimental::EventEngine::Listener::AcceptCallback on_accept,
             absl::AnyInvocable<void(absl::Status)> on_shutdown,
             const grpc_event_engine::experimental::EndpointConfig& config,
             std::unique_ptr<grpc_event_engine::experimental::MemoryAllocatorFactory> allocators);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_LISTENER_H_
