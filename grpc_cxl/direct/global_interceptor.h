// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_GLOBAL_INTERCEPTOR_H_
#define GRPC_CXL_DIRECT_GLOBAL_INTERCEPTOR_H_

#include <grpcpp/support/client_interceptor.h>

namespace grpc_cxl::internal {

// Whether this process has an interceptor for all its client calls. gRPC runs it after those of
// the channel, hence after the interceptor that makes direct calls.
inline bool HasGlobalInterceptor() {
  return grpc::internal::g_global_client_interceptor_factory != nullptr;
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_GLOBAL_INTERCEPTOR_H_
