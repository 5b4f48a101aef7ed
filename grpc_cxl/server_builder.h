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

namespace internal {
class OfferAnswers;
}

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
//   * It answers clients that came over the network by an address that says nothing, a service's or
//     a proxy's, and are of this host: their unary calls become direct calls
//     (docs/configuration.md, Network addresses).
//   * It places the payload of large messages (payload_placement.h), behind the interceptors of
//     experimental().SetInterceptorCreators().
//   * With ServerOptions::capacity, it gives HTTP/2 as many calls at a time on each connection.
//   * It lets clients have the server called back (serve_back.h): channelz shows an address for it,
//     unix:/dev/null/back=calls/1, at which nobody can connect.
//   * If all addresses are `cxl:`, it sets the arguments that suit shared memory and that the
//     application has not set: no keepalive timer and no bandwidth probe, frames and windows of
//     4 MiB. With a network address, arguments stay gRPC's: they count for all connections.
//
// End the server with grpc_cxl::Shutdown(*server) (direct_calls.h) instead of server->Shutdown(),
// which ends calls that arrive at that moment, and waits 10 ms for direct calls: gRPC has no hook
// that would come before.
class ServerBuilder : public grpc::ServerBuilder {
 public:
  ServerBuilder();

  std::unique_ptr<grpc::Server> BuildAndStart() override;

  class experimental_type : public grpc::ServerBuilder::experimental_type {
   public:
    explicit experimental_type(ServerBuilder* builder)
        : grpc::ServerBuilder::experimental_type(builder), builder_(builder) {}
    void SetInterceptorCreators(
        std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
            interceptor_creators);

   private:
    ServerBuilder* const builder_;
  };
  experimental_type experimental() { return experimental_type(this); }

 protected:
  grpc::ChannelArguments BuildChannelArgs() override;

 private:
  std::shared_ptr<internal::OfferAnswers> answers_;
};

}  // namespace grpc_cxl

#endif  // GRPC_CXL_SERVER_BUILDER_H_
