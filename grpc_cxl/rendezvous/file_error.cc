// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/file_error.h"

#include <errno.h>
#include <unistd.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/base/errno_status.h"

namespace grpc_cxl::internal {

absl::Status FileError(int error, absl::string_view what, const std::string& path) {
  const std::string text = absl::StrCat("cannot ", what, " ", path);
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(absl::StrCat(
          text, ": the directory does not exist; make it, or set GRPC_CXL_DIR to another"));
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(
          absl::StrCat(text, ": uid ", geteuid(),
                       " may not; give this user access to the directory (and remove a file "
                       "there that another user's server left), or set GRPC_CXL_DIR to another"));
    case EROFS:
      return absl::PermissionDeniedError(absl::StrCat(
          text, ": the file system is read-only; set GRPC_CXL_DIR to another directory"));
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(absl::StrCat(
          text, ": no space left; make some, or set GRPC_CXL_DIR to another directory"));
    default:
      return ErrnoStatus(error, text);
  }
}

}  // namespace grpc_cxl::internal
