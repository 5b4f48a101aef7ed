// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_PAYLOAD_PLACEMENT_H_
#define GRPC_CXL_PAYLOAD_PLACEMENT_H_

#include <grpcpp/support/server_interceptor.h>

#include <memory>

#include "grpc_cxl/check_requirements.h"

namespace grpc_cxl {

// For servers that send large messages: an interceptor that serialises them straight into
// the connection's shared memory, which saves one of their two copies. Optional; without it
// everything works the same. grpc_cxl::ServerBuilder has it; give it to gRPC's builder as the last
// of the interceptors:
//
//   std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
//   creators.push_back(grpc_cxl::PayloadPlacement());
//   builder.experimental().SetInterceptorCreators(std::move(creators));
//
// It acts on messages of generated classes from 16 KiB on, sent with the synchronous or the
// callback API through memory without TLS; a client with several connections to the
// server gets the gain on the newest of them. A unary method whose responses are small is
// looked at only now and then; other calls pay a few microseconds. Channels need nothing:
// grpc_cxl::ChannelCredentials() does this by itself.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> PayloadPlacement();

}  // namespace grpc_cxl

#endif  // GRPC_CXL_PAYLOAD_PLACEMENT_H_
