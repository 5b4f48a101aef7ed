// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_REGION_REGION_FILE_H_
#define GRPC_CXL_REGION_REGION_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/base/shared_word.h"
#include "grpc_cxl/base/unique_fd.h"

namespace grpc_cxl::internal {

// The file or device under a region.
struct RegionFile {
  UniqueFd fd;
  uint64_t bytes = 0;
  // Offsets and sizes of mappings must be multiples of this. A dax device tells its own (2 MiB if
  // it does not).
  uint64_t alignment = kPageBytes;
};

// Opens a plain file (on tmpfs, fs-dax, famfs, ...), a PCI device's memory (.../resource2) or a
// character device (/dev/dax0.0). Its size is `bytes`, which must not be more than there is; with
// 0, all that the file has, or sysfs says of the device.
//
// NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT (no file of these kinds; the size is unknown
// or wrong), each with advice. `sysfs` is for tests.
absl::StatusOr<RegionFile> OpenRegionFile(const std::string& path, uint64_t bytes,
                                          const std::string& sysfs = "/sys");

// Locks of single bytes of a file, which the processes of this kernel share; nothing is stored
// there. A lock ends with the last descriptor of this opening of the file, hence with the process.

// Waits for the lock. An error where the file's kind has no locks.
absl::Status LockByte(int fd, uint64_t offset);
// False when another process has the lock.
absl::StatusOr<bool> TryLockByte(int fd, uint64_t offset);
void UnlockByte(int fd, uint64_t offset);
// Whether another opening of the file has locked any of these bytes.
bool IsLocked(int fd, uint64_t offset, uint64_t bytes);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_REGION_FILE_H_
