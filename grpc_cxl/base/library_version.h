// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BASE_LIBRARY_VERSION_H_
#define GRPC_CXL_BASE_LIBRARY_VERSION_H_

namespace grpc_cxl::internal {

// As in MODULE.bazel and CMakeLists.txt; CONTRIBUTING.md says when it changes.
inline constexpr char kLibraryVersion[] = "0.1.0";

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_BASE_LIBRARY_VERSION_H_
