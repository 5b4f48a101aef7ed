// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_FILE_ERROR_H_
#define GRPC_CXL_RENDEZVOUS_FILE_ERROR_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace grpc_cxl::internal {

// The status of a system call that failed with `error` (an errno) on a file of the rendezvous
// directory: "cannot <what> <path>", the reason, and the remedy where there is one. NOT_FOUND,
// PERMISSION_DENIED, RESOURCE_EXHAUSTED, or Abseil's code for the errno.
absl::Status FileError(int error, absl::string_view what, const std::string& path);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_FILE_ERROR_H_
