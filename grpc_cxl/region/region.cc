// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/region/region.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/log/check.h"
#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/base/layout_version.h"
#include "grpc_cxl/region/region_file.h"

namespace grpc_cxl::internal {

std::atomic<Region::Hook*> Region::hook_{nullptr};

namespace {

Region::Node NodeOf(int fd) {
  struct stat found;
  if (fd < 0 || fstat(fd, &found) != 0) return {};
  return {.device = found.st_dev, .inode = found.st_ino};
}

}  // namespace

Region::Region(const RegionOptions& options, UniqueFd fd, Arena control)
    : options_(options.WithMachine()),
      fd_(std::move(fd)),
      node_(NodeOf(fd_.get())),
      control_(std::move(control)),
      far_(FarMemory::Create(options_.model, absl::MakeSpan(control_.data(), control_.size()))),
      view_(far_.get()),
      memory_(WorkingMemory(far_.get(), absl::MakeSpan(control_.data(), control_.size()))) {}

absl::StatusOr<std::shared_ptr<Region>> Region::Open(const RegionOptions& options) {
  absl::StatusOr<RegionFile> file = OpenRegionFile(options.path, options.bytes);
  if (!file.ok()) return file.status();
  const uint64_t least = MemoryBegin(1, file->alignment);
  if (file->bytes < least) {
    return absl::FailedPreconditionError(
        absl::StrCat("\"", options.path, "\" has ", file->bytes,
                     " bytes and cannot be a region; the smallest has more than ", least,
                     ". Make one with cxl_region format"));
  }
  // First the least that every region has, to see how large the directory of this one is.
  RegionOptions look = options.WithMachine();
  look.host = kObserver;
  look.model.distance = {};
  absl::StatusOr<Arena> first = Arena::AttachPart(file->fd.get(), 0, least);
  if (!first.ok()) return first.status();
  Region small(look, UniqueFd(), *std::move(first));
  if (absl::Status status = small.CheckHeader(file->bytes); !status.ok()) return status;
  if (options.host != kObserver && options.host >= small.hosts_) {
    return absl::InvalidArgumentError(
        absl::StrCat("GRPC_CXL_HOST is ", options.host, ", but the region \"", options.path,
                     "\" was formatted for ", small.hosts_, " hosts: 0 to ", small.hosts_ - 1));
  }
  absl::StatusOr<Arena> control =
      Arena::AttachPart(file->fd.get(), 0, MemoryBegin(small.hosts_, small.granule_));
  if (!control.ok()) return control.status();
  // A child is no member of the region: it must not give back what its parent has.
  control->KeepFromChildren();
  std::shared_ptr<Region> region(new Region(options, std::move(file->fd), *std::move(control)));
  if (absl::Status status = region->CheckHeader(file->bytes); !status.ok()) return status;
  if (region->hosts_ != small.hosts_ || region->granule_ != small.granule_) {
    return absl::FailedPreconditionError(
        absl::StrCat("the region \"", options.path, "\" was formatted anew just now; try again"));
  }
  return region;
}

absl::Status Region::CheckHeader(uint64_t file_bytes) {
  auto& header = *reinterpret_cast<RegionHeader*>(memory_.data());
  // Matched by the store in WriteDirectory(), which comes after all other words: their loads are
  // relaxed. They are in the same line, which this load brings.
  const uint32_t version = view_.Load(header.layout_version, std::memory_order_acquire);
  const uint64_t magic = header.magic.load(std::memory_order_relaxed);
  if (magic != kRegionMagic || version == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("\"", path(), "\" is not a region; make one with cxl_region format"));
  }
  if (version != kLayoutVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the region \"", path(), "\" has version ", version,
        " of grpc_cxl's shared memory layout, and this program has version ", kLayoutVersion,
        "; use the same release of grpc_cxl on all hosts, and format the region anew"));
  }
  hosts_ = header.hosts.load(std::memory_order_relaxed);
  bytes_ = header.region_bytes.load(std::memory_order_relaxed);
  granule_ = header.granule_bytes.load(std::memory_order_relaxed);
  const uint64_t lease_ms = header.lease_ms.load(std::memory_order_relaxed);
  lease_ = absl::Milliseconds(lease_ms);
  if (bytes_ > file_bytes) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the region \"", path(), "\" was formatted with ", bytes_, " bytes, but there are only ",
        file_bytes, "; it is not the same file or device, or was made shorter"));
  }
  if (hosts_ == 0 || hosts_ > kMaxRegionHosts || !IsGranule(granule_) || lease_ms < kMinLeaseMs ||
      lease_ms > kMaxLeaseMs || MemoryPerHost(bytes_, hosts_, granule_) == 0) {
    return absl::DataLossError(absl::StrCat("the header of the region \"", path(),
                                            "\" makes no sense; stop all that use it and "
                                            "format it anew"));
  }
  return absl::OkStatus();
}

absl::Status Region::CheckMemory(uint32_t host, uint64_t offset, uint64_t bytes) const {
  const uint64_t begin = memory_begin(host);
  if (bytes == 0 || bytes % granule_ != 0 || offset % granule_ != 0 || offset < begin ||
      bytes > memory_per_host() || offset - begin > memory_per_host() - bytes) {
    return absl::FailedPreconditionError(
        absl::StrCat("the directory of host ", host, " in the region \"", path(),
                     "\" is corrupt: ", bytes, " bytes at ", offset,
                     " are not part of its memory; stop all that use the region and "
                     "format it anew"));
  }
  return absl::OkStatus();
}

MemoryModel Region::NearModel() const {
  MemoryModel model = options_.model;
  model.distance = {};
  return model;
}

absl::StatusOr<Arena> Region::MapMemory(uint32_t host, uint64_t offset, uint64_t bytes) const {
  if (absl::Status status = CheckMemory(host, offset, bytes); !status.ok()) return status;
  absl::StatusOr<Arena> arena = Arena::AttachPart(fd_.get(), offset, bytes);
  if (!arena.ok()) return arena;
  const absl::Span<char> memory = absl::MakeSpan(arena->data(), arena->size());
  const std::unique_ptr<FarMemory> far = FarMemory::Create(NearModel(), memory);
  // The memory's last user may have left lines of it in this host's caches. Written to, these
  // would go back to the memory with their old neighbours.
  SharedView(far.get()).Flush(WorkingMemory(far.get(), memory));
  return arena;
}

absl::StatusOr<Arena> Region::MapZeroed(uint32_t host, uint64_t offset, uint64_t bytes,
                                        std::shared_ptr<Fence> fence) const {
  if (absl::Status status = CheckMemory(host, offset, bytes); !status.ok()) return status;
  absl::StatusOr<Arena> arena = Arena::AttachPart(fd_.get(), offset, bytes);
  if (!arena.ok()) return arena;
  const absl::Span<char> memory = absl::MakeSpan(arena->data(), arena->size());
  const std::unique_ptr<FarMemory> far = FarMemory::Create(NearModel(), memory, std::move(fence));
  const SharedView view(far.get());
  const absl::Span<char> working = WorkingMemory(far.get(), memory);
  for (size_t at = 0; at < working.size(); at += kZeroedAtATime) {
    const absl::Span<char> part = working.subspan(at, kZeroedAtATime);
    if (!view.Holds()) return NoLongerOurs();
    memset(part.data(), 0, part.size());
    view.Publish(part);  // old lines of it are in no cache of this host then
  }
  return arena;
}

absl::Status Region::FlushMemory(uint32_t host, uint64_t offset, uint64_t bytes, Site site) const {
  if (options_.model.coherence == Coherence::kCoherent) return absl::OkStatus();
  if (absl::Status status = CheckMemory(host, offset, bytes); !status.ok()) return status;
  const absl::StatusOr<Arena> arena = Arena::AttachPart(fd_.get(), offset, bytes);
  if (!arena.ok()) return arena.status();
  const absl::Span<char> memory = absl::MakeSpan(arena->data(), arena->size());
  const std::unique_ptr<FarMemory> far = FarMemory::Create(NearModel(), memory);
  SharedView(far.get()).Flush(WorkingMemory(far.get(), memory), site);
  return absl::OkStatus();
}

void Region::MendEntries() const {
  const auto bytes = [](absl::Span<SharedU64> words) {
    return absl::MakeConstSpan(reinterpret_cast<const char*>(words.data()), words.size() * 8);
  };
  own_entries_.Mend([&](absl::Span<SharedU64> words) { view_.Flush(bytes(words)); },
                    [&](absl::Span<SharedU64> words) {
                      view_.Publish(bytes(words));
                      LOG(ERROR) << "an entry of this process in the region \"" << path()
                                 << "\", at byte " << bytes(words).data() - memory_.data()
                                 << ", was damaged and has been written anew";
                    },
                    [&](SharedU64& id) { Store(id, uint64_t{0}); });
}

Region::HostLock::HostLock(const Region& region) : region_(region) {
  region.mu_.lock();
  // Membership::Join() has seen that the file can be locked.
  const absl::Status locked = LockByte(region.fd_.get(), ControlOffset(region.host()));
  CHECK(locked.ok()) << locked;
}

Region::HostLock::~HostLock() { region_.UnlockHost(); }

bool Region::TryLockHost() const {
  if (!mu_.try_lock()) return false;
  const absl::StatusOr<bool> locked = TryLockByte(fd_.get(), ControlOffset(host()));
  if (locked.ok() && *locked) return true;
  mu_.unlock();
  return false;
}

void Region::UnlockHost() const {
  // A forked child shares the lock with its parent, which may hold it now.
  if (!control_.IsInherited()) UnlockByte(fd_.get(), ControlOffset(host()));
  mu_.unlock();
}

namespace {

uint64_t ProcessLock(uint32_t host, uint32_t index) {
  return ControlOffset(host) + offsetof(HostControl, processes) + index * sizeof(ProcessEntry);
}

}  // namespace

absl::StatusOr<bool> Region::TryLockProcess(uint32_t index) const {
  return TryLockByte(fd_.get(), ProcessLock(host(), index));
}

void Region::UnlockProcess(uint32_t index) const {
  UnlockByte(fd_.get(), ProcessLock(host(), index));
}

bool Region::IsProcessLocked(uint32_t index) const {
  return IsLocked(fd_.get(), ProcessLock(host(), index), 1);
}

uint64_t Region::NextId() const {
  SharedU64& next = mine().words.next_id;
  // Never zero, even if another process has damaged the word. relaxed: under the HostLock.
  const uint64_t id = std::max<uint64_t>(next.load(std::memory_order_relaxed), 1);
  Store(next, id + 1);
  return id;
}

}  // namespace grpc_cxl::internal
