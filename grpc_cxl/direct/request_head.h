// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_REQUEST_HEAD_H_
#define GRPC_CXL_DIRECT_REQUEST_HEAD_H_

#include <grpcpp/client_context.h>

#include <map>
#include <string>

#include "grpc_cxl/calls/call_codec.h"
#include "grpc_cxl/direct/direct_channel.h"

// A request's head from what the application gave gRPC. Not thread-safe.
namespace grpc_cxl::internal {

// Whether the call has nothing that only HTTP/2 can carry. To be asked late: interceptors of the
// user's may set it.
bool IsPlain(grpc::ClientContext& context);

// False when the deadline has passed.
bool SetTimeout(const grpc::ClientContext& context, RequestView* view);

// False when there is an entry that gRPC does not allow. `view` points into all the arguments.
bool SetMetadata(const DirectChannel& channel,
                 const std::multimap<std::string, std::string>& metadata, RequestView* view);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_REQUEST_HEAD_H_
