// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_DEFAULT_PRIORITY_H_
#define GRPC_CXL_DIRECT_DEFAULT_PRIORITY_H_

#include <grpcpp/support/client_interceptor.h>

#include <memory>

#include "grpc_cxl/priority_level.h"

namespace grpc_cxl::internal {

// Makes the interceptor that gives a channel's calls a priority, those that have none.
std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface> MakeDefaultPriority(
    Priority priority);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_DEFAULT_PRIORITY_H_
