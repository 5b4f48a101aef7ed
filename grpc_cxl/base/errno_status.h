// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BASE_ERRNO_STATUS_H_
#define GRPC_CXL_BASE_ERRNO_STATUS_H_

#include <errno.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace grpc_cxl::internal {

// As absl::ErrnoToStatus(), but RESOURCE_EXHAUSTED with the remedy when a process or the system
// has no file descriptor left.
inline absl::Status ErrnoStatus(int error, absl::string_view what) {
  if (error == EMFILE || error == ENFILE) {
    return absl::ResourceExhaustedError(
        absl::StrCat(what, ": no file descriptor left; raise the limit (ulimit -n)"));
  }
  return absl::ErrnoToStatus(error, what);
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_BASE_ERRNO_STATUS_H_
