// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/region/membership.h"

#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "grpc_cxl/region/boot_id.h"
#include "grpc_cxl/region/dead_processes.h"

namespace grpc_cxl::internal {
namespace {

uint64_t RandomNonce() {
  uint64_t nonce = 0;
  // Where it fails, the process is only not told from a clone of its machine.
  while (getrandom(&nonce, sizeof(nonce), 0) < 0 && errno == EINTR) {
  }
  return nonce;
}

}  // namespace

bool Membership::IsOwn(const Region& region, const ProcessRef& self) {
  if (region.IsGivenUp()) return false;
  const auto process = ReadProcess(region, region.host(), self.index);
  return process.has_value() ? process->process == self : IsDamagedProcess(region, self.index);
}

void Membership::MendEntries(const Region& region, const ProcessRef& self) {
  if (IsOwn(region, self)) region.MendEntries();
}

bool Membership::TryMendEntries(const Region& region, const ProcessRef& self) {
  if (!region.TryLockHost()) return false;
  MendEntries(region, self);
  region.UnlockHost();
  return true;
}

void Membership::FreeOwn(const Region& region, const ProcessRef& self, SharedU64& place,
                         uint64_t id) {
  // Without the lock of the host: an entry in use is its owner's. Matched by the stores that write
  // entries, here and below.
  if (place.load(std::memory_order_acquire) == id) return region.Free(place);
  region.own_entries().Abandon(place, id);
  TryMendEntries(region, self);
}

absl::StatusOr<std::unique_ptr<Membership>> Membership::Join(std::shared_ptr<const Region> region) {
  // HostLock relies on locks.
  if (const auto locked = region->TryLockProcess(kHostProcesses); !locked.ok()) {
    return absl::FailedPreconditionError(locked.status().message());
  }
  region->UnlockProcess(kHostProcesses);
  region->FlushControl();
  if (absl::Status status = WatchTheSilent(region); !status.ok()) return status;
  const BootId& boot = BootId::OfThisKernel();
  HostWords& words = region->mine().words;
  const Region::HostLock lock(*region);
  ClearUpAfterTheDead(*region, nullptr);
  ScrubIfAlone(*region);
  const Owners owners = OwnersOfEntries(*region, region->host());
  for (uint32_t i = 0; i < kHostProcesses; ++i) {
    const bool used = region->mine().processes[i].incarnation.load(std::memory_order_acquire) != 0;
    if (used && region->model().private_copy &&
        region->mine().processes[i].pid != static_cast<uint32_t>(getpid())) {
      return absl::FailedPreconditionError(
          "with GRPC_CXL_CHECK_FLUSHES=1 a host of a region can have one process only, since "
          "simulated caches are those of a process");
    }
    // What is there of a process that has lost its entry is cleared up first.
    if (used || owners[i]) continue;
    const absl::StatusOr<bool> locked = region->TryLockProcess(i);
    if (!locked.ok()) return locked.status();
    if (!*locked) continue;
    region->Store(words.boot_id[0], boot.words[0]);
    region->Store(words.boot_id[1], boot.words[1]);
    ProcessRecord record{.process = {},
                         .beat = 1,
                         .pid = static_cast<uint32_t>(getpid()),
                         .uid = static_cast<uint32_t>(geteuid()),
                         .nonce = RandomNonce(),
                         .node = region->node()};
    WriteProcess(*region, i, record);
    // Announces the entry; matched by the load in RegionServers. relaxed: under the HostLock.
    region->Store(words.opened, words.opened.load(std::memory_order_relaxed) + 1);
    return std::unique_ptr<Membership>(new Membership(region, record));
  }
  return absl::ResourceExhaustedError(absl::StrCat("host ", region->host(), " of the region \"",
                                                   region->path(), "\" has ", kHostProcesses,
                                                   " processes already, and cannot have more"));
}

Membership::~Membership() {
  if (IsStillMine()) {
    region_->Free(region_->mine().processes[self_.index].incarnation);
  }
  region_->UnlockProcess(self_.index);
}

bool Membership::IsStillMine() const {
  const ProcessEntry& entry = region_->mine().processes[self_.index];
  const HostWords& words = region_->mine().words;
  // Not from our caches: it would be another machine that writes there.
  region_->FlushLine(&entry);
  region_->FlushLine(&words);
  return !region_->IsGivenUp() && BootId::OfThisKernel().IsIn(words) &&
         entry.incarnation.load(std::memory_order_acquire) == self_.incarnation &&
         entry.nonce.load(std::memory_order_acquire) == nonce_ &&
         entry.beat.load(std::memory_order_acquire) == beat_;
}

bool Membership::Renew() {
  bool mine = IsStillMine();
  if (!mine && IsDamagedProcess(*region_, self_.index)) {
    region_->MendEntries();
    mine = IsStillMine();
  }
  if (!mine) {
    region_->GiveUp();
    return false;
  }
  // Matched by the load in PeerLease.
  region_->Store(region_->mine().processes[self_.index].beat, ++beat_);
  return true;
}

}  // namespace grpc_cxl::internal
