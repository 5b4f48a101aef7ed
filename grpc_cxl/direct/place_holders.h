// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_PLACE_HOLDERS_H_
#define GRPC_CXL_DIRECT_PLACE_HOLDERS_H_

#include <grpcpp/support/server_interceptor.h>

#include <memory>

namespace grpc_cxl::internal {

// Has handlers hold the places of their calls (CallPlace), whose metadata they do not see. For
// servers with CallCapacity::HandlersHold().
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakePlaceHolders();

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_PLACE_HOLDERS_H_
