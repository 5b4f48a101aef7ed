// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_KEEPALIVE_H_
#define GRPC_CXL_DIRECT_KEEPALIVE_H_

#include <memory>

#include "grpc_cxl/direct/detached_call.h"
#include "grpc_cxl/direct/direct_channel.h"

namespace grpc_cxl::internal {

// Keepalive for a call that is waited for: as long as it is detached, its server is asked for
// a sign of life (ClientCalls::Ping) every `channel.keepalive_time`; one that gives none
// within `keepalive_timeout` loses the connection, and its calls end UNAVAILABLE. It is for a
// server that is stopped or stuck; one that dies is noticed without. Does nothing when the
// channel asks for no keepalive.
void WatchServer(const DirectChannel& channel, std::shared_ptr<const CallRoute> link,
                 std::shared_ptr<const DetachedCall> call);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_KEEPALIVE_H_
