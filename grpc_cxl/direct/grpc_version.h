// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_GRPC_VERSION_H_
#define GRPC_CXL_DIRECT_GRPC_VERSION_H_

#include <string>

namespace grpc_cxl::internal {

// Of the gRPC that the program runs with, as "1.83.0". (That of its core has numbers of its own.)
std::string GrpcVersion();

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_GRPC_VERSION_H_
