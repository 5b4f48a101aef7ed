#ifndef GRPC_CXL_REGION_REGION_FILE_H_
#define GRPC_CXL_REGION_REGION_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::internal {

// The file or device under a region.
struct RegionFile {
  UniqueFd fd;
  uint64_t bytes = 0;
  // What offsets and sizes of mappings must be multiples of: 4 KiB, on a dax device what that
  // says (2 MiB if it does not).
  uint64_t alignment = 4096;
};

// Opens a plain file (on tmpfs, fs-dax, famfs, ...), a PCI device's memory (.../resource2) or a
// character device (/dev/dax0.0). The size is the file's; of a character device what sysfs
// says, unless `bytes` is given (not 0), which must not be more than there is.
//
// NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT (no file of these kinds; the size is unknown
// or wrong), each with what to do. `sysfs` is for tests.
absl::StatusOr<RegionFile> OpenRegionFile(const std::string& path, uint64_t bytes,
                                          const std::string& sysfs = "/sys");

// A lock that this kernel's processes share, of one byte of a file; nothing is stored there. It
// ends with the last descriptor of this opening of the file, hence with the process.
//
// Waits for it. An error where the file's kind has no locks.
absl::Status LockByte(int fd, uint64_t offset);
// False when another process has it.
absl::StatusOr<bool> TryLockByte(int fd, uint64_t offset);
void UnlockByte(int fd, uint64_t offset);
// Whether another opening of the file holds any of these.
bool IsLocked(int fd, uint64_t offset, uint64_t bytes);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_REGION_FILE_H_
