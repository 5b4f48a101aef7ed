// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/payload_placement.h"

#include "grpc_cxl/payload/message_placement.h"

namespace grpc_cxl {

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> PayloadPlacement() {
  return internal::MakeServerPlacement();
}

}  // namespace grpc_cxl
