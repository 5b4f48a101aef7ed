// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/region/region_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <fstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/base/errno_status.h"

namespace grpc_cxl::internal {
namespace {

constexpr uint64_t kDaxAlignment = uint64_t{2} << 20;

absl::Status OpenError(int error, const std::string& path) {
  const std::string what = absl::StrCat("cannot open the region \"", path, "\"");
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(
          absl::StrCat(what,
                       ": there is no such file; GRPC_CXL_REGION must name a file or device "
                       "that was formatted with cxl_region"));
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(
          absl::StrCat(what, ": this user may not read and write it"));
    case EISDIR:
      return absl::InvalidArgumentError(
          absl::StrCat(what, ": it is a directory; name a file in it"));
    default:
      return ErrnoStatus(error, what);
  }
}

// The number in a file of sysfs; 0 when there is none.
uint64_t NumberIn(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  uint64_t number = 0;
  if (!(file >> text) || !absl::SimpleAtoi(text, &number)) return 0;
  return number;
}

int Lock(int fd, int command, short type, uint64_t offset, uint64_t bytes = 1,
         short* found = nullptr) {
  struct flock range = {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = static_cast<off_t>(offset);
  range.l_len = static_cast<off_t>(bytes);
  int result;
  do {
    result = fcntl(fd, command, &range);
  } while (result != 0 && errno == EINTR);
  if (found != nullptr) *found = range.l_type;
  return result;
}

absl::Status LockError(int error) {
  return absl::ErrnoToStatus(error,
                             "cannot lock a byte of the region's file (fcntl F_OFD_SETLK), which "
                             "the processes of one host need to take turns");
}

}  // namespace

absl::StatusOr<RegionFile> OpenRegionFile(const std::string& path, uint64_t bytes,
                                          const std::string& sysfs) {
  RegionFile file;
  // O_NONBLOCK: opening a pipe must not hang.
  file.fd = UniqueFd(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!file.fd) return OpenError(errno, path);
  struct stat found;
  if (fstat(file.fd.get(), &found) != 0) return OpenError(errno, path);
  uint64_t there = 0;
  if (S_ISREG(found.st_mode)) {
    there = found.st_size;
  } else if (S_ISCHR(found.st_mode)) {
    const std::string device =
        absl::StrCat(sysfs, "/dev/char/", major(found.st_rdev), ":", minor(found.st_rdev));
    there = NumberIn(device + "/size");
    if (there == 0 && bytes == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("the size of the region \"", path, "\" is unknown (", device,
                       "/size cannot be read): set GRPC_CXL_REGION_BYTES to it"));
    }
    const uint64_t alignment = NumberIn(device + "/align");
    file.alignment = alignment != 0 ? alignment : kDaxAlignment;
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("the region \"", path, "\" is neither a plain file nor a character device"));
  }
  if (there != 0 && bytes > there) {
    return absl::InvalidArgumentError(absl::StrCat("the region \"", path, "\" has ", there,
                                                   " bytes, not the ", bytes, " asked for"));
  }
  file.bytes = bytes != 0 ? bytes : there;
  return file;
}

absl::Status LockByte(int fd, uint64_t offset) {
  return Lock(fd, F_OFD_SETLKW, F_WRLCK, offset) == 0 ? absl::OkStatus() : LockError(errno);
}

absl::StatusOr<bool> TryLockByte(int fd, uint64_t offset) {
  if (Lock(fd, F_OFD_SETLK, F_WRLCK, offset) == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  return LockError(errno);
}

void UnlockByte(int fd, uint64_t offset) { Lock(fd, F_OFD_SETLK, F_UNLCK, offset); }

bool IsLocked(int fd, uint64_t offset, uint64_t bytes) {
  short found = F_UNLCK;
  return Lock(fd, F_OFD_GETLK, F_WRLCK, offset, bytes, &found) == 0 && found != F_UNLCK;
}

}  // namespace grpc_cxl::internal
