// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/grpc_version.h"

#include <grpcpp/grpcpp.h>

namespace grpc_cxl::internal {

std::string GrpcVersion() { return grpc::Version(); }

}  // namespace grpc_cxl::internal
