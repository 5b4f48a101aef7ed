// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_CONNECTION_LOG_H_
#define GRPC_CXL_EVENT_ENGINE_CONNECTION_LOG_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "grpc_cxl/event_engine/settings.h"

namespace grpc_cxl::internal {

// Logs what has become of a connection of an end with these settings: with GRPC_CXL_LOG=debug as
// INFO, at most 100 lines a second, and how many were left out; else with VLOG(1) only. `line` is
// called if its text is wanted. Thread-safe.
void LogConnection(const EndpointSettings& settings, absl::FunctionRef<std::string()> line);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_CONNECTION_LOG_H_
