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

// A plain file gets its size, and all of its space at once: a page that is missing later would
// be a SIGBUS.
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
  // EINVAL, EOPNOTSUPP, ENODEV: sysfs and its like have all of it already.
  if (error == 0 || error == EINVAL || error == EOPNOTSUPP || error == ENODEV) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(
      absl::StrCat(what, ": ", absl::ErrnoToStatus(error, "make room for it").message()));
}

// Whether a process of this machine is in the region, whose locks lie in the hosts' controls.
bool InUse(int fd) {
  return IsLocked(fd, ControlOffset(0), ControlOffset(kMaxRegionHosts) - ControlOffset(0));
}

}  // namespace

absl::Status FormatRegion(const std::string& path, const RegionFormat& format) {
  if (format.hosts == 0 || format.hosts > kMaxRegionHosts) {
    return Invalid(path, absl::StrCat(format.hosts, " hosts: must be 1 to ", kMaxRegionHosts));
  }
  if (format.lease < absl::Milliseconds(100) || format.lease > absl::Minutes(10)) {
    return Invalid(path, absl::StrCat("a lease of ", absl::FormatDuration(format.lease),
                                      ": must be 100 ms to 10 min"));
  }
  if (format.bytes != 0) {  // a new file; devices are there
    const UniqueFd made(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600));
  }
  absl::StatusOr<RegionFile> file = OpenRegionFile(path, 0);
  if (absl::IsInvalidArgument(file.status()) && format.bytes != 0) {
    file = OpenRegionFile(path, format.bytes);  // a device whose size nobody else knows
  }
  if (!file.ok()) return file.status();
  const uint64_t bytes = format.bytes != 0 ? format.bytes : file->bytes;
  const uint64_t granule = format.granule != 0 ? format.granule : file->alignment;
  if (granule < file->alignment || granule > (1 << 30) || (granule & (granule - 1)) != 0) {
    return Invalid(path, absl::StrCat("a granule of ", granule,
                                      " bytes: must be a power of two "
                                      "from ",
                                      file->alignment, " bytes to 1 GiB"));
  }
  if (bytes % granule != 0 || MemoryPerHost(bytes, format.hosts, granule) == 0) {
    return Invalid(path,
                   absl::StrCat(bytes, " bytes: must be a multiple of ", granule, " and more than ",
                                MemoryBegin(format.hosts, granule) + format.hosts * granule - 1,
                                ", for ", format.hosts, " hosts"));
  }
  struct stat found;
  if (fstat(file->fd.get(), &found) != 0) return absl::ErrnoToStatus(errno, path);
  if (S_ISREG(found.st_mode)) {
    if (absl::Status status = Reserve(path, file->fd.get(), bytes); !status.ok()) return status;
  } else if (bytes > file->bytes) {
    return Invalid(path, absl::StrCat(bytes, " bytes: the device has ", file->bytes));
  }
  if (InUse(file->fd.get())) {
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot format \"", path, "\": processes of this machine use it as a region; stop them"));
  }
  absl::StatusOr<Arena> control =
      Arena::AttachPart(file->fd.get(), 0, MemoryBegin(format.hosts, granule));
  if (!control.ok()) return control.status();
  const absl::Span<char> memory = absl::MakeSpan(control->data(), control->size());
  const absl::StatusOr<MemoryModel> model =
      MakeMemoryModel(format.coherence, {}, /*check_flushes=*/false);
  if (!model.ok()) return model.status();
  const std::unique_ptr<FarMemory> far = FarMemory::Create(*model, memory);
  const SharedView view(far.get());
  auto& header = *reinterpret_cast<RegionHeader*>(memory.data());
  // Nothing that is opened meanwhile is valid.
  view.Store(header.layout_version, uint32_t{0}, std::memory_order_release);
  memset(memory.data(), 0, memory.size());
  header.hosts.store(format.hosts, std::memory_order_relaxed);
  header.magic.store(kRegionMagic, std::memory_order_relaxed);
  header.region_bytes.store(bytes, std::memory_order_relaxed);
  header.granule_bytes.store(granule, std::memory_order_relaxed);
  header.lease_ms.store(absl::ToInt64Milliseconds(format.lease), std::memory_order_relaxed);
  view.Publish(memory);
  // Matched by the load in Region::Open().
  view.Store(header.layout_version, kLayoutVersion, std::memory_order_release);
  return absl::OkStatus();
}

}  // namespace grpc_cxl::internal
