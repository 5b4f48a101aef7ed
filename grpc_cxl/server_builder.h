// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_SERVER_BUILDER_H_
#define GRPC_CXL_SERVER_BUILDER_H_

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/server_interceptor.h>

#include <memory>
#include <vector>

#include "grpc_cxl/check_requirements.h"

namespace grpc_cxl {

// gRPC's builder for a server with grpc_cxl::ServerCredentials(). What such a server would have to
// call besides, BuildAndStart() does by itself:
//
//   grpc_cxl::ServerBuilder builder;
//   builder.AddListeningPort("0.0.0.0:50051", grpc_cxl::ServerCredentials());
//   builder.RegisterService(&service);
//   auto server = builder.BuildAndStart();
//
//   * It enables direct calls (direct_calls.h), unless ServerOptions::direct_calls says no. When
//     they cannot be had, a line in the log says why.
//   * It places the payload of large messages (payload_placement.h), behind the interceptors of
//     experimental().SetInterceptorCreators().
//   * If all addresses are `cxl:`, it sets the arguments that suit shared memory and that the
//     application has not set: no keepalive timer and no bandwidth probe, frames and windows of
//     4 MiB. With a network address, arguments stay gRPC's: they count for all connections.
//
// To let direct calls finish, end the server with grpc_cxl::Shutdown(*server) instead of
// server->Shutdown(), which waits 10 ms for them: gRPC has no hook that would come before it closes
// the in-process channel through which they run. Without direct calls both are the same.
class ServerBuilder : public grpc::ServerBuilder {
 public:
  ServerBuilder();

  std::unique_ptr<grpc::Server> BuildAndStart() override;

  class experimental_type : public grpc::ServerBuilder::experimental_type {
   public:
    using grpc::ServerBuilder::experimental_type::experimental_type;
    void SetInterceptorCreators(
        std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
            interceptor_creators);
  };
  experimental_type experimental() { return experimental_type(this); }

 protected:
  grpc::ChannelArguments BuildChannelArgs() override;
};

}  // namespace grpc_cxl

#endif  // GRPC_CXL_SERVER_BUILDER_H_
