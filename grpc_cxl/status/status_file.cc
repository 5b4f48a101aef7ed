// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/status/status_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "grpc_cxl/base/errno_status.h"

namespace grpc_cxl::internal {
namespace {

constexpr absl::string_view kSuffix = ".status";
constexpr int kTries = 100;
constexpr int kReads = 5;  // of a page that its owner may be writing

// The file that children are to close. relaxed: fork() and the child's handler are one thread.
std::atomic<int> g_open_file{-1};

void CloseInChild() {
  const int fd = g_open_file.exchange(-1, std::memory_order_relaxed);
  if (fd < 0) return;
  // Another file in its place keeps the number from meaning something else.
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing < 0 || dup3(nothing, fd, O_CLOEXEC) < 0) close(fd);
  if (nothing >= 0) close(nothing);
}

struct flock WholeFile() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

bool TryLock(int fd) {
  struct flock lock = WholeFile();
  return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

bool IsLocked(int fd) {
  struct flock lock = WholeFile();
  return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

// O_NONBLOCK: opening a pipe must not hang.
UniqueFd OpenFound(int directory, const std::string& name, int mode) {
  return UniqueFd(
      openat(directory, name.c_str(), mode | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
}

bool LeadsTo(int directory, const std::string& name, int fd) {
  struct stat named, opened;
  return fstat(fd, &opened) == 0 &&
         fstatat(directory, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

// As much as there is. The file may change meanwhile.
std::string ReadAll(int fd) {
  std::string bytes(kMostStatusBytes, '\0');
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t more =
        pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (more < 0 && errno == EINTR) continue;
    if (more <= 0) break;
    done += static_cast<size_t>(more);
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace

absl::StatusOr<StatusFile> StatusFile::Create(int directory) {
  static const int registered = pthread_atfork(nullptr, nullptr, CloseInChild);
  static_cast<void>(registered);
  for (int i = 0; i < kTries; ++i) {
    uint32_t number = 0;
    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number)) number = i;
    std::string name = absl::StrCat(getpid(), "-", absl::Hex(number, absl::kZeroPad8), kSuffix);
    UniqueFd fd(
        openat(directory, name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640));
    if (!fd) {
      if (errno == EEXIST) continue;
      return ErrnoStatus(errno, absl::StrCat("cannot make ", name));
    }
    if (!TryLock(fd.get())) {
      const int error = errno;
      if (error == EAGAIN || error == EACCES) continue;  // someone is about to remove it
      unlinkat(directory, name.c_str(), 0);
      return ErrnoStatus(error, absl::StrCat("cannot lock ", name));
    }
    if (!LeadsTo(directory, name, fd.get())) continue;
    fchmod(fd.get(), 0640);  // whatever the umask says
    g_open_file.store(fd.get(), std::memory_order_relaxed);
    return StatusFile(std::move(fd), std::move(name));
  }
  return absl::UnavailableError("another process removes each status page as soon as it is made");
}

StatusFile::~StatusFile() {
  // Before it is closed: then the number may be another file's.
  int fd = fd_.get();
  if (fd >= 0) g_open_file.compare_exchange_strong(fd, -1, std::memory_order_relaxed);
}

absl::Status StatusFile::Write(absl::string_view bytes) {
  // Beyond this limit the kernel would end the process (SIGXFSZ).
  rlimit limit;
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && bytes.size() > limit.rlim_cur) {
    return absl::ResourceExhaustedError(
        absl::StrCat("files are limited to ", limit.rlim_cur, " bytes (raise ulimit -f)"));
  }
  const ssize_t written = pwrite(fd_.get(), bytes.data(), bytes.size(), 0);
  if (written == static_cast<ssize_t>(bytes.size())) return absl::OkStatus();
  return ErrnoStatus(written < 0 ? errno : ENOSPC, absl::StrCat("cannot write ", name_));
}

bool StatusFile::IsGone() const {
  struct stat found;
  return fstat(fd_.get(), &found) != 0 || found.st_nlink == 0;
}

void StatusFile::Remove(int directory) const {
  if (LeadsTo(directory, name_, fd_.get())) unlinkat(directory, name_.c_str(), 0);
}

bool IsStatusFile(absl::string_view name) {
  if (!absl::ConsumeSuffix(&name, kSuffix)) return false;
  const size_t dash = name.find('-');
  const absl::string_view pid = name.substr(0, dash);
  const absl::string_view number = dash == name.npos ? "" : name.substr(dash + 1);
  return !pid.empty() && std::all_of(pid.begin(), pid.end(), absl::ascii_isdigit) &&
         number.size() == 8 && std::all_of(number.begin(), number.end(), absl::ascii_isxdigit);
}

absl::StatusOr<FoundStatus> ReadStatusFile(int directory, const std::string& name) {
  const UniqueFd fd = OpenFound(directory, name, O_RDONLY);
  if (!fd) return ErrnoStatus(errno, absl::StrCat("cannot open ", name));
  struct stat file;
  if (fstat(fd.get(), &file) != 0) return ErrnoStatus(errno, absl::StrCat("cannot look at ", name));
  if (!S_ISREG(file.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(name, " is not a regular file"));
  }
  FoundStatus found;
  found.uid = file.st_uid;
  found.alive = IsLocked(fd.get());
  if (!found.alive) return found;
  for (int i = 0; i < kReads; ++i) {
    found.page = DecodeStatus(ReadAll(fd.get()));
    if (!absl::IsUnavailable(found.page.status())) break;
    usleep(100);
  }
  return found;
}

bool RemoveDeadStatusFile(int directory, const std::string& name) {
  const UniqueFd fd = OpenFound(directory, name, O_RDWR);
  struct stat file;
  if (!fd || fstat(fd.get(), &file) != 0 || !S_ISREG(file.st_mode) || !TryLock(fd.get())) {
    return false;
  }
  return LeadsTo(directory, name, fd.get()) && unlinkat(directory, name.c_str(), 0) == 0;
}

}  // namespace grpc_cxl::internal
