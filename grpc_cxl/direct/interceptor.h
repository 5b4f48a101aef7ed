#ifndef GRPC_CXL_DIRECT_INTERCEPTOR_H_
#define GRPC_CXL_DIRECT_INTERCEPTOR_H_

#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_interceptor.h>

#include <memory>

#include "grpc_cxl/direct/client_connection.h"
#include "grpc_cxl/doorbell/spin_budget.h"

namespace grpc_cxl {

// Makes the interceptor that takes a channel's eligible unary calls off gRPC's hands
// ("hijacks" them) and makes them as direct calls over `links`. It must be the last of the
// channel's interceptors. `arguments` are the channel's, for its message size limits.
std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface> MakeDirectInterceptor(
    std::shared_ptr<ClientLinks> links, const SpinBudget& spin,
    const grpc::ChannelArguments& arguments);

}  // namespace grpc_cxl

#endif  // GRPC_CXL_DIRECT_INTERCEPTOR_H_
