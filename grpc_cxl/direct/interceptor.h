// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_INTERCEPTOR_H_
#define GRPC_CXL_DIRECT_INTERCEPTOR_H_

#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_interceptor.h>

#include <memory>
#include <string>

#include "grpc_cxl/direct/background_calls.h"
#include "grpc_cxl/direct/call_routes.h"
#include "grpc_cxl/doorbell/spin_budget.h"

namespace grpc_cxl::internal {

// Makes the interceptor that takes a channel's eligible calls out of gRPC ("hijacks" them)
// and makes them as direct calls over `routes`. It must come after the user's interceptors.
// `target` and `arguments` are the channel's, these for size limits and keepalive. `background`
// makes the one-way calls that cannot be direct. `inline_calls`, `direct_streams` and
// `has_interceptors`: see DirectChannel. `companion` is kept as long as the channel.
std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface> MakeDirectInterceptor(
    std::shared_ptr<CallRoutes> routes, const WaitTerms& wait,
    const grpc::ChannelArguments& arguments, std::shared_ptr<BackgroundCalls> background,
    std::string target, bool inline_calls, bool direct_streams, bool has_interceptors,
    std::shared_ptr<void> companion = nullptr);

// For a channel that can have no direct calls: counts the unary calls.
std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface> CountExcludedCalls();

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_INTERCEPTOR_H_
