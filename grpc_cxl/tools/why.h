// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TOOLS_WHY_H_
#define GRPC_CXL_TOOLS_WHY_H_

#include <string>

#include "absl/status/statusor.h"
#include "grpc_cxl/event_engine/settings.h"

namespace grpc_cxl::internal {

// Why a channel of this user with these settings reaches `target` through memory or does not: a
// sentence that begins with "through memory", "over the network" or "not at all", and lines about
// what others have met there. `target` is that of a channel, such as cxl:///payments,
// payments:50051, 127.0.0.1:50051 or unix:/run/payments; without a scheme and a port it is a name.
// It connects, by the library's own code. INVALID_ARGUMENT when the target makes no sense.
absl::StatusOr<std::string> Why(const std::string& target, const ChannelSettings& settings);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_TOOLS_WHY_H_
