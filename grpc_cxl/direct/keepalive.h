// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_KEEPALIVE_H_
#define GRPC_CXL_DIRECT_KEEPALIVE_H_

#include <memory>

#include "grpc_cxl/direct/detached_call.h"
#include "grpc_cxl/direct/direct_channel.h"

namespace grpc_cxl::internal {

// Keepalive for a detached call: pings the server (ClientCalls::Ping) every
// `channel.keepalive_time` until the call is over. Without an answer within `keepalive_timeout`
// the connection ends, and its calls end UNAVAILABLE. This finds a server that is stopped or
// stuck; a dead server is noticed without it. Does nothing when the channel has no keepalive.
void WatchServer(const DirectChannel& channel, std::shared_ptr<const CallRoute> link,
                 std::shared_ptr<const DetachedCall> call);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_KEEPALIVE_H_
