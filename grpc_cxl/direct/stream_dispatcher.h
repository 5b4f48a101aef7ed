// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_STREAM_DISPATCHER_H_
#define GRPC_CXL_DIRECT_STREAM_DISPATCHER_H_

#include <memory>

#include "grpc_cxl/direct/dispatcher.h"
#include "grpc_cxl/direct/served_streams.h"
#include "grpc_cxl/direct/server_link_user.h"
#include "grpc_cxl/streams/server_streams.h"
#include "grpc_cxl/streams/stream_memory.h"

namespace grpc_cxl::internal {

// Runs a stream of `connection` on the server's in-process channel, one message at a time each way:
// the next one is read from the ring when the handler has taken the last, and from the handler when
// the last is in the ring. `handler` is `dispatcher`, and kept.
std::shared_ptr<StreamUser> MakeRunningStream(std::shared_ptr<ServerLinkUser> connection,
                                              std::unique_ptr<ServerStream> stream,
                                              StreamTerms terms, Dispatcher* dispatcher,
                                              std::shared_ptr<CallHandler> handler);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_STREAM_DISPATCHER_H_
