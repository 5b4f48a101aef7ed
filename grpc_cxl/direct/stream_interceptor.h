// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_STREAM_INTERCEPTOR_H_
#define GRPC_CXL_DIRECT_STREAM_INTERCEPTOR_H_

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_interceptor.h>

#include "grpc_cxl/direct/direct_channel.h"

namespace grpc_cxl::internal {

// The interceptor of a streaming call that may take it out of gRPC (StreamCall), if a connection
// that takes streams is up, and the call is of generated code. Else null: gRPC then skips it.
//
// A batch that comes without the initial metadata first (that of a callback stream with corked
// metadata) is gRPC's already, and with it the call.
grpc::experimental::Interceptor* MakeStreamInterceptor(const DirectChannel& channel,
                                                       grpc::experimental::ClientRpcInfo* info);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_STREAM_INTERCEPTOR_H_
