// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_PAYLOAD_MESSAGE_PLACEMENT_H_
#define GRPC_CXL_PAYLOAD_MESSAGE_PLACEMENT_H_

#include <grpcpp/support/client_interceptor.h>
#include <grpcpp/support/server_interceptor.h>

#include <memory>
#include <string>

namespace grpc_cxl::internal {

// Interceptors that serialise large messages of generated classes straight into a block of the
// connection, so that the endpoint need not copy them. gRPC keeps the rest: small messages,
// other classes, the completion-queue API's (serialised before they are intercepted), those for
// which no block is free, and all of a method that has no generated code in this process.

// Of a channel whose connections have this key of the pool directory. The last of the channel's
// interceptors: it takes the messages of calls that no other has taken.
std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface> MakeClientPlacement(
    std::string pool_key);

// Of a server.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeServerPlacement();

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_PAYLOAD_MESSAGE_PLACEMENT_H_
