// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "grpc_cxl/base/layout_version.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_file.h"

namespace grpc_cxl::internal {
namespace {

absl::Status Invalid(const std::string& path, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat("cannot format \"", path, "\": ", why));
}

// Gives a plain file its size and all of its space: a page that is missing later would be a
// SIGBUS.
absl::Status Reserve(const std::string& path, int fd, uint64_t bytes) {
  const std::string what =
      absl::StrCat("cannot reserve ", bytes, " bytes for the region \"", path, "\"");
  struct stat found;
  if (fstat(fd, &found) != 0) return absl::ErrnoToStatus(errno, what);
  if (static_cast<uint64_t>(found.st_size) < bytes && ftruncate(fd, bytes) != 0) {
    return absl::ErrnoToStatus(errno, what);
  }
  int error;
  do {
    error = posix_fallocate(fd, 0, bytes);
  } while (error == EINTR);
  // EINVAL, EOPNOTSUPP, ENODEV: the space of files of sysfs and its like is there already.
  if (error == 0 || error == EINVAL || error == EOPNOTSUPP || error == ENODEV) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(
      absl::StrCat(what, ": ", absl::ErrnoToStatus(error, "make space for it").message()));
}

// Whether a process of this machine has joined: processes lock bytes of their hosts' controls.
bool InUse(int fd) {
  return IsLocked(fd, ControlOffset(0), ControlOffset(kMaxRegionHosts) - ControlOffset(0));
}

// The file, made if need be and `bytes` is known.
absl::StatusOr<RegionFile> OpenOrMake(const std::string& path, uint64_t bytes) {
  if (bytes != 0) {  // devices are there already
    const UniqueFd made(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600));
  }
  absl::StatusOr<RegionFile> file = OpenRegionFile(path, 0);
  // A device of unknown size.
  if (absl::IsInvalidArgument(file.status()) && bytes != 0) file = OpenRegionFile(path, bytes);
  return file;
}

// Zeroes `memory`, the directory, and writes its header.
absl::Status WriteDirectory(absl::Span<char> memory, const RegionFormat& format) {
  const absl::StatusOr<MemoryModel> model =
      MakeMemoryModel(format.coherence, {}, /*check_flushes=*/false);
  if (!model.ok()) return model.status();
  const std::unique_ptr<FarMemory> far = FarMemory::Create(*model, memory);
  const SharedView view(far.get());
  auto& header = *reinterpret_cast<RegionHeader*>(memory.data());
  // Not valid for processes that open it meanwhile.
  view.Store(header.layout_version, uint32_t{0}, std::memory_order_release);
  memset(memory.data(), 0, memory.size());
  header.hosts.store(format.hosts, std::memory_order_relaxed);
  header.magic.store(kRegionMagic, std::memory_order_relaxed);
  header.region_bytes.store(format.bytes, std::memory_order_relaxed);
  header.granule_bytes.store(format.granule, std::memory_order_relaxed);
  header.lease_ms.store(absl::ToInt64Milliseconds(format.lease), std::memory_order_relaxed);
  view.Publish(memory);
  // Matched by the load in Region::CheckHeader().
  view.Store(header.layout_version, kLayoutVersion, std::memory_order_release);
  return absl::OkStatus();
}

}  // namespace

absl::Status FormatRegion(const std::string& path, const RegionFormat& format) {
  if (format.hosts == 0 || format.hosts > kMaxRegionHosts) {
    return Invalid(path, absl::StrCat(format.hosts, " hosts: must be 1 to ", kMaxRegionHosts));
  }
  if (format.lease < absl::Milliseconds(kMinLeaseMs) ||
      format.lease > absl::Milliseconds(kMaxLeaseMs)) {
    return Invalid(path, absl::StrCat("a lease of ", absl::FormatDuration(format.lease),
                                      ": must be 100 ms to 10 min"));
  }
  absl::StatusOr<RegionFile> file = OpenOrMake(path, format.bytes);
  if (!file.ok()) return file.status();
  RegionFormat chosen = format;
  if (chosen.bytes == 0) chosen.bytes = file->bytes;
  if (chosen.granule == 0) chosen.granule = file->alignment;
  if (chosen.granule < file->alignment || !IsGranule(chosen.granule)) {
    return Invalid(
        path, absl::StrCat("a granule of ", chosen.granule, " bytes: must be a power of two from ",
                           file->alignment, " bytes to 1 GiB"));
  }
  const uint64_t memory_begin = MemoryBegin(chosen.hosts, chosen.granule);
  if (chosen.bytes % chosen.granule != 0 ||
      MemoryPerHost(chosen.bytes, chosen.hosts, chosen.granule) == 0) {
    return Invalid(path,
                   absl::StrCat(chosen.bytes, " bytes: must be a multiple of ", chosen.granule,
                                " and more than ", memory_begin + chosen.hosts * chosen.granule - 1,
                                ", for ", chosen.hosts, " hosts"));
  }
  struct stat found;
  if (fstat(file->fd.get(), &found) != 0) return absl::ErrnoToStatus(errno, path);
  if (S_ISREG(found.st_mode)) {
    if (absl::Status status = Reserve(path, file->fd.get(), chosen.bytes); !status.ok()) {
      return status;
    }
  } else if (chosen.bytes > file->bytes) {
    return Invalid(path, absl::StrCat(chosen.bytes, " bytes: the device has ", file->bytes));
  }
  if (InUse(file->fd.get())) {
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot format \"", path, "\": processes of this machine use it as a region; stop them"));
  }
  absl::StatusOr<Arena> directory = Arena::AttachPart(file->fd.get(), 0, memory_begin);
  if (!directory.ok()) return directory.status();
  return WriteDirectory(absl::MakeSpan(directory->data(), directory->size()), chosen);
}

}  // namespace grpc_cxl::internal
