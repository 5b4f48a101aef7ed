// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_FILE_ERROR_H_
#define GRPC_CXL_RENDEZVOUS_FILE_ERROR_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace grpc_cxl::internal {

// What a system call on a file of the rendezvous directory came to: "cannot <what>
// <path>", why, and where one can do something about it, what. `error` is its errno.
// NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED, or what Abseil makes of the rest.
absl::Status FileError(int error, absl::string_view what, const std::string& path);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_FILE_ERROR_H_
