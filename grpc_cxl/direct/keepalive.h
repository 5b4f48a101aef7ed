// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_KEEPALIVE_H_
#define GRPC_CXL_DIRECT_KEEPALIVE_H_

#include <functional>
#include <memory>

#include "grpc_cxl/direct/call_routes.h"
#include "grpc_cxl/direct/direct_channel.h"

namespace grpc_cxl::internal {

// Keepalive for a call that goes on elsewhere: pings the server (ClientCalls::Ping) every
// `channel.keepalive_time` until it is `over`. Without an answer within `keepalive_timeout`
// the connection ends, and its calls end UNAVAILABLE. This finds a server that is stopped or
// stuck; a dead server is noticed without it. For a channel that has it.
inline bool HasKeepalive(const DirectChannel& channel) {
  return channel.keepalive_time.count() != 0;
}
void WatchServer(const DirectChannel& channel, std::shared_ptr<const CallRoute> link,
                 std::function<bool()> over);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_KEEPALIVE_H_
