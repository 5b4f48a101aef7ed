// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_CHECK_REQUIREMENTS_H_
#define GRPC_CXL_CHECK_REQUIREMENTS_H_

// Says what grpc_cxl needs before something else does not compile for want of it.

#include <grpcpp/version_info.h>

#if __cplusplus < 202002L
#error "grpc_cxl needs C++20: compile with -std=c++20 (Bazel: --cxxopt=-std=c++20 in .bazelrc)."
#endif

#if GRPC_CPP_VERSION_MAJOR < 1 || (GRPC_CPP_VERSION_MAJOR == 1 && GRPC_CPP_VERSION_MINOR < 80)
#error "grpc_cxl needs gRPC 1.80 or newer; docs/building.md says where to get one."
#endif

#endif  // GRPC_CXL_CHECK_REQUIREMENTS_H_
