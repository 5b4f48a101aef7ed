// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/name_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/rendezvous/file_error.h"

namespace grpc_cxl::internal {
namespace {

// A try fails only when an owner leaves at that moment. So many failures in a row mean that
// another process keeps removing the file.
constexpr int kTries = 1000;

// How often to try again where another process may hold the lock for a moment.
constexpr int kLeavers = 10;
constexpr useconds_t kLeaverUs = 10'000;

// From the first line of the lock file. A new owner of a killed owner's file shows the old pid
// until it has written its own, a few system calls later.
std::string OwnerOf(int lock) {
  char text[32];
  const ssize_t size = pread(lock, text, sizeof(text), 0);
  absl::string_view line(text, size > 0 ? size : 0);
  line = line.substr(0, line.find('\n'));
  int pid;
  return absl::SimpleAtoi(line, &pid) ? absl::StrCat("process ", pid) : "another process";
}

absl::Status InTheWay(const std::string& path) {
  return absl::FailedPreconditionError(
      absl::StrCat(path, " is in the way: it is not a lock file made by grpc_cxl; move it away"));
}

// A lock file is a regular file with one name. Anything else may have been planted to make us
// write into another file of ours.
absl::StatusOr<UniqueFd> Open(int directory, const std::string& file, const std::string& path) {
  // O_NONBLOCK: opening a pipe must not hang.
  UniqueFd lock(openat(directory, file.c_str(),
                       O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!lock) {
    const bool other_kind = errno == ELOOP || errno == EISDIR || errno == ENXIO;
    return other_kind ? InTheWay(path) : FileError(errno, "open the lock file", path);
  }
  struct stat found;
  if (fstat(lock.get(), &found) != 0) return FileError(errno, "look at", path);
  if (!S_ISREG(found.st_mode) || found.st_nlink > 1) return InTheWay(path);
  return lock;
}

absl::Status IsRemoved(const std::string& full) {
  return absl::UnavailableError(absl::StrCat(full,
                                             " is removed as soon as it is made; stop the process "
                                             "that removes it, or set GRPC_CXL_DIR to another "
                                             "directory"));
}

}  // namespace

absl::Status WriteOwnPid(int lock, const std::string& path) {
  const std::string line = absl::StrCat(getpid(), "\n");
  // Overwrite, then truncate: a reader finds a whole first line at any time.
  const ssize_t written = pwrite(lock, line.data(), line.size(), 0);
  if (written != static_cast<ssize_t>(line.size())) {
    return FileError(written < 0 ? errno : ENOSPC, "write our pid into", path);
  }
  if (ftruncate(lock, written) != 0) return FileError(errno, "write our pid into", path);
  return absl::OkStatus();
}

bool OwnsName(int directory, const std::string& file, int lock) {
  struct stat locked, named;
  return fstat(lock, &locked) == 0 &&
         fstatat(directory, file.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         named.st_dev == locked.st_dev && named.st_ino == locked.st_ino;
}

absl::StatusOr<UniqueFd> AcquireNameLock(int directory, const std::string& path,
                                         const std::string& file) {
  const std::string full = absl::StrCat(path, "/", file);
  for (int i = 0; i < kTries; ++i) {
    absl::StatusOr<UniqueFd> opened = Open(directory, file, full);
    if (!opened.ok()) return opened.status();
    UniqueFd lock = *std::move(opened);
    if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return FileError(errno, "lock", full);
      return absl::AlreadyExistsError(
          absl::StrCat("it is already served by ", OwnerOf(lock.get()), " (", full,
                       " is locked); stop that server or choose another name"));
    }
    if (!OwnsName(directory, file, lock.get())) continue;
    if (absl::Status written = WriteOwnPid(lock.get(), full); !written.ok()) {
      unlinkat(directory, file.c_str(), 0);
      return written;
    }
    return lock;
  }
  return IsRemoved(full);
}

absl::StatusOr<UniqueFd> ShareNameLock(int directory, const std::string& path,
                                       const std::string& file) {
  const std::string full = absl::StrCat(path, "/", file);
  for (int i = 0, leavers = 0; i < kTries; ++i) {
    absl::StatusOr<UniqueFd> lock = Open(directory, file, full);
    if (!lock.ok()) return lock.status();
    if (flock(lock->get(), LOCK_SH | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return FileError(errno, "lock", full);
      if (++leavers < kLeavers) {
        usleep(kLeaverUs);
        continue;
      }
      return absl::AlreadyExistsError(absl::StrCat(
          "it is served by ", OwnerOf(lock->get()), ", which is no replica (", full,
          " is locked); stop that server, or start it with ServerOptions::replicas as well"));
    }
    if (OwnsName(directory, file, lock->get())) return lock;
  }
  return IsRemoved(full);
}

void LeaveNameLock(int directory, const std::string& file, UniqueFd lock) {
  // The kernel gives the shared lock up before it grants the other: that is no loss any more.
  if (flock(lock.get(), LOCK_EX | LOCK_NB) == 0 && OwnsName(directory, file, lock.get())) {
    unlinkat(directory, file.c_str(), 0);
  }
}

}  // namespace grpc_cxl::internal
