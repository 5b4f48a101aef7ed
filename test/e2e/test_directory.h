// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_TEST_E2E_TEST_DIRECTORY_H_
#define GRPC_CXL_TEST_E2E_TEST_DIRECTORY_H_

#include "test/support/temporary_directory.h"

namespace grpc_cxl::e2e {

using TestDirectory = internal::TemporaryDirectory;

}  // namespace grpc_cxl::e2e

#endif  // GRPC_CXL_TEST_E2E_TEST_DIRECTORY_H_
