// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/rendezvous_directory.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/rendezvous/file_error.h"
#include "grpc_cxl/rendezvous/user_namespace.h"

namespace grpc_cxl::internal {
namespace {

constexpr absl::string_view kSetAnother = "or set GRPC_CXL_DIR to a directory of your own";

// The path and its origin, for error texts.
std::string Describe(const std::string& path, absl::string_view origin) {
  return absl::StrCat("the rendezvous directory ", path, " (", origin, ")");
}

absl::Status CheckDirectory(const struct stat& found, const std::string& described,
                            const TrustedUsers& users) {
  if (!S_ISDIR(found.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(
        described, " is ", S_ISLNK(found.st_mode) ? "a symbolic link" : "not a directory",
        "; remove it, ", kSetAnother));
  }
  if (MayBeUnmapped(found.st_uid)) {
    return absl::PermissionDeniedError(absl::StrCat(
        described, " belongs to a user without a number in this process's user namespace (the ",
        "kernel shows uid ", found.st_uid,
        " for all such users), so its owner cannot be told from ", "a stranger; map the owner, ",
        kSetAnother));
  }
  if (!users.Allows(found.st_uid)) {
    return absl::PermissionDeniedError(absl::StrCat(
        described, " belongs to uid ", found.st_uid, ", who could put a server of their own in ",
        "the place of any name; add this uid to allowed_uids if it is trusted, ", kSetAnother));
  }
  return absl::OkStatus();
}

// A later chdir() must change nothing, and errors name the place.
std::string Absolute(const std::string& path) {
  std::error_code failed;
  const std::string absolute = std::filesystem::absolute(path, failed);
  return failed ? path : absolute;
}

// A directory that the user chose.
absl::StatusOr<std::string> Chosen(const std::string& path, absl::string_view origin,
                                   const TrustedUsers& users) {
  const std::string described = Describe(path, origin);
  struct stat found;
  if (stat(path.c_str(), &found) != 0) return FileError(errno, "use", described);
  if (absl::Status checked = CheckDirectory(found, described, users); !checked.ok()) {
    return checked;
  }
  return path;
}

// A default directory, made when missing.
absl::StatusOr<std::string> Default(const std::string& path, absl::string_view origin,
                                    const TrustedUsers& users) {
  const std::string described = Describe(path, origin);
  struct stat found;
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    if (errno != ENOENT) return FileError(errno, "make", described);
    return absl::NotFoundError(absl::StrCat("cannot make ", described,
                                            ": its parent does not exist; set TMPDIR to a "
                                            "directory that does, ",
                                            kSetAnother));
  }
  if (lstat(path.c_str(), &found) != 0) return FileError(errno, "use", described);
  if (absl::Status checked = CheckDirectory(found, described, users); !checked.ok()) {
    return checked;
  }
  if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        described, " is writable for other users, who could remove names; chmod it to 700, ",
        kSetAnother));
  }
  return path;
}

bool IsOwnDirectory(const std::string& path) {
  struct stat found;
  return path.starts_with('/') && stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode) &&
         found.st_uid == geteuid() && !MayBeUnmapped(found.st_uid);
}

}  // namespace

absl::StatusOr<std::string> FindRendezvousDirectory(const DirectoryCandidates& candidates,
                                                    const TrustedUsers& users) {
  if (!candidates.configured.empty()) {
    return Chosen(Absolute(candidates.configured), "from the options", users);
  }
  if (!candidates.variable.empty()) {
    return Chosen(Absolute(candidates.variable), "from GRPC_CXL_DIR", users);
  }
  if (IsOwnDirectory(candidates.runtime)) {
    return Default(absl::StrCat(candidates.runtime, "/grpc_cxl"), "in XDG_RUNTIME_DIR", users);
  }
  const std::string temporary = candidates.temporary.empty() ? "/tmp" : candidates.temporary;
  return Default(absl::StrCat(Absolute(temporary), "/grpc_cxl-", geteuid()),
                 "the default without GRPC_CXL_DIR and XDG_RUNTIME_DIR", users);
}

}  // namespace grpc_cxl::internal
