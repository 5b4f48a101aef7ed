// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/rendezvous_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/rendezvous/file_error.h"
#include "grpc_cxl/rendezvous/trusted_users.h"
#include "grpc_cxl/rendezvous/user_namespace.h"

namespace grpc_cxl::internal {
namespace {

constexpr absl::string_view kSetAnother = "or set GRPC_CXL_DIR to a directory of your own";

// The path and its origin, for error texts.
std::string Describe(const std::string& path, absl::string_view origin) {
  return absl::StrCat("the rendezvous directory ", path, " (", origin, ")");
}

// The directory at `path`, opened; `flags` may forbid that it is a symbolic link.
absl::StatusOr<UniqueFd> OpenAny(const std::string& path, const std::string& described, int flags) {
  UniqueFd fd(open(path.c_str(), O_PATH | O_CLOEXEC | flags));
  struct stat found;
  if (!fd || fstat(fd.get(), &found) != 0) return FileError(errno, "use", described);
  if (!S_ISDIR(found.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(
        described, " is ", S_ISLNK(found.st_mode) ? "a symbolic link" : "not a directory",
        "; remove it, ", kSetAnother));
  }
  return fd;
}

// The same, and its owner is trusted.
absl::StatusOr<UniqueFd> OpenChecked(const std::string& path, const std::string& described,
                                     int flags) {
  absl::StatusOr<UniqueFd> fd = OpenAny(path, described, flags);
  if (!fd.ok()) return fd.status();
  struct stat found;
  if (fstat(fd->get(), &found) != 0) return FileError(errno, "use", described);
  if (MayBeUnmapped(found.st_uid)) {
    return absl::PermissionDeniedError(absl::StrCat(
        described, " belongs to a user without a number in this process's user namespace (the ",
        "kernel shows uid ", found.st_uid,
        " for all such users), so its owner cannot be told from a stranger; map the owner, name "
        "the ",
        "directory in GRPC_CXL_TRUSTED_DIR at both ends if only friends can enter it, ",
        kSetAnother));
  }
  if (!TrustedUsers().Allows(found.st_uid)) {
    return absl::PermissionDeniedError(absl::StrCat(
        described, " belongs to uid ", found.st_uid, ", who could put a server of their own in ",
        "the place of any name; give it to uid ", geteuid(), " or root, ", kSetAnother));
  }
  return fd;
}

// A later chdir() must change nothing, and errors name the place.
std::string Absolute(const std::string& path) {
  std::error_code failed;
  const std::string absolute = std::filesystem::absolute(path, failed);
  return failed ? path : absolute;
}

// Opens a default directory; with `make`, makes it when it is missing.
absl::StatusOr<UniqueFd> OpenDefault(const std::string& path, const std::string& described,
                                     bool make) {
  if (make && mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    if (errno != ENOENT) return FileError(errno, "make", described);
    return absl::NotFoundError(absl::StrCat("cannot make ", described,
                                            ": its parent does not exist; set TMPDIR to a "
                                            "directory that does, ",
                                            kSetAnother));
  }
  absl::StatusOr<UniqueFd> fd = OpenChecked(path, described, O_NOFOLLOW);
  if (!fd.ok()) return fd.status();
  struct stat found;
  if (fstat(fd->get(), &found) != 0) return FileError(errno, "use", described);
  if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        described, " is writable for other users, who could remove names; chmod it to 700, ",
        kSetAnother));
  }
  return fd;
}

bool IsOwnDirectory(const std::string& path) {
  struct stat found;
  return path.starts_with('/') && stat(path.c_str(), &found) == 0 && S_ISDIR(found.st_mode) &&
         found.st_uid == geteuid() && !MayBeUnmapped(found.st_uid);
}

}  // namespace

absl::StatusOr<RendezvousDirectory> RendezvousDirectory::Open(
    const DirectoryCandidates& candidates) {
  return OpenFirst(candidates, true);
}

absl::StatusOr<RendezvousDirectory> RendezvousDirectory::Find(
    const DirectoryCandidates& candidates) {
  return OpenFirst(candidates, false);
}

absl::StatusOr<RendezvousDirectory> RendezvousDirectory::OpenFirst(
    const DirectoryCandidates& candidates, bool make) {
  RendezvousDirectory directory;
  directory.candidates_ = candidates;
  absl::StatusOr<UniqueFd> fd;
  const auto chosen = [&](const std::string& path, absl::string_view origin) {
    directory.path_ = Absolute(path);
    fd = OpenChecked(directory.path_, Describe(directory.path_, origin), 0);
  };
  const auto made = [&](const std::string& path, absl::string_view origin) {
    directory.path_ = Absolute(path);
    fd = OpenDefault(directory.path_, Describe(directory.path_, origin), make);
  };
  if (!candidates.trusted.empty()) {
    directory.path_ = Absolute(candidates.trusted);
    fd = OpenAny(directory.path_, Describe(directory.path_, "the trusted one"), 0);
  } else if (!candidates.configured.empty()) {
    chosen(candidates.configured, "from the options");
  } else if (!candidates.variable.empty()) {
    chosen(candidates.variable, "from GRPC_CXL_DIR");
  } else if (IsOwnDirectory(candidates.runtime)) {
    made(absl::StrCat(candidates.runtime, "/grpc_cxl"), "in XDG_RUNTIME_DIR");
  } else {
    const std::string temporary = candidates.temporary.empty() ? "/tmp" : candidates.temporary;
    made(absl::StrCat(temporary, "/grpc_cxl-", geteuid()),
         "the default without GRPC_CXL_DIR and XDG_RUNTIME_DIR");
  }
  if (!fd.ok()) return fd.status();
  directory.fd_ = *std::move(fd);
  return directory;
}

absl::StatusOr<RendezvousDirectory> RendezvousDirectory::Reopen() const {
  struct stat before;
  if (fstat(fd_.get(), &before) == 0 && before.st_nlink == 0 && before.st_uid == geteuid() &&
      mkdir(path_.c_str(), 0700) == 0) {
    const UniqueFd made(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (made) fchmod(made.get(), before.st_mode & 07777);
  }
  return Open(candidates_);
}

}  // namespace grpc_cxl::internal
