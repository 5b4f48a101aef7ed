// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/temporary_directory.h"

#include <stdlib.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"

namespace grpc_cxl::bench {

absl::StatusOr<TemporaryDirectory> TemporaryDirectory::Create() {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
  if (error) {
    return absl::FailedPreconditionError(
        absl::StrCat("No temporary directory: set TMPDIR to one (", error.message(), ")."));
  }
  // Short, because a unix socket's path has at most 107 bytes.
  std::string path = parent / "grpc_cxl.XXXXXX";
  if (mkdtemp(path.data()) == nullptr) {
    return absl::ErrnoToStatus(errno, absl::StrCat("Cannot make a directory in ", parent.string()));
  }
  return TemporaryDirectory(std::move(path));
}

TemporaryDirectory::TemporaryDirectory(TemporaryDirectory&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;  // a server process may have removed it first
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace grpc_cxl::bench
