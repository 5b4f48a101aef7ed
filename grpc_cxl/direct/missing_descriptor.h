// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_MISSING_DESCRIPTOR_H_
#define GRPC_CXL_DIRECT_MISSING_DESCRIPTOR_H_

namespace grpc_cxl::internal {

// Logs, once per process and service, that calls like "/package.Service/Method" cannot be direct
// because the service's descriptor is not linked, and how to link it. Thread-safe.
void WarnOfMissingDescriptor(const char* method);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_MISSING_DESCRIPTOR_H_
