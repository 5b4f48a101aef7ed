// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/region/membership.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpc_cxl/region/peer_lease.h"

namespace grpc_cxl::internal {
namespace {

struct BootId {
  uint64_t words[2] = {0, 0};
};

// Tells this run of this kernel from all others; zero where it cannot be read.
BootId ReadBootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string text;
  BootId id;
  file >> text;
  // 36 hexadecimal digits and dashes, of which these 16 are random enough.
  memcpy(id.words, text.data(), std::min(text.size(), sizeof(id.words)));
  return id;
}

bool IsOfThisKernel(const HostWords& words, const BootId& id) {
  return words.boot_id[0].load(std::memory_order_acquire) == id.words[0] &&
         words.boot_id[1].load(std::memory_order_acquire) == id.words[1];
}

// For a host whose entries another kernel has made: this machine before it was booted, or another
// machine that takes itself for this host. FAILED_PRECONDITION when their processes are alive.
absl::Status CheckNoOtherMachineIsThisHost(const std::shared_ptr<const Region>& region) {
  // As an observer: loads from our own host would not look beyond our caches.
  const RegionOptions options{
      .path = region->path(), .host = Region::kObserver, .bytes = 0, .model = region->model()};
  absl::StatusOr<std::shared_ptr<Region>> observer = Region::Open(options);
  if (!observer.ok()) return observer.status();
  std::vector<ProcessRecord> before;
  for (uint32_t i = 0; i < kHostProcesses; ++i) {
    if (const auto process = ReadProcess(**observer, region->host(), i)) before.push_back(*process);
  }
  const absl::Time start = SteadyNow();
  while (!before.empty() && SteadyNow() - start < region->lease()) {
    absl::SleepFor(region->lease() / 20);
    for (const ProcessRecord& old : before) {
      const auto now = ReadProcess(**observer, region->host(), old.process.index);
      if (now.has_value() && now->process == old.process && now->beat != old.beat) {
        return absl::FailedPreconditionError(absl::StrCat(
            "another machine is host ", region->host(), " of the region \"", region->path(),
            "\" (its process ", old.pid, " is alive); give each its own GRPC_CXL_HOST"));
      }
    }
  }
  return absl::OkStatus();
}

bool BelongsTo(const ProcessRef& owner, uint32_t index, uint64_t incarnation) {
  return owner.index == index && owner.incarnation == incarnation;
}

// Flushes the memory that the connection of a dead client of this host has, if any. False when that
// must be tried again.
bool FlushMemoryOf(const Region& region, uint32_t index, const RequestRecord& request,
                   uint64_t* flushed) {
  if (request.to_host >= region.hosts()) return true;
  for (uint32_t i = 0; i < kHostAnswers; ++i) {
    const auto answer = ReadAnswer(region, request.to_host, i);
    if (!answer.has_value() || answer->to_host != region.host() || answer->to_request != index ||
        answer->to_request_id != request.id ||
        !region.CheckMemory(request.to_host, answer->offset, answer->bytes).ok()) {
      continue;
    }
    // One is always done, however large.
    if (*flushed != 0 && *flushed + answer->bytes > Membership::kMostFlushed) return false;
    *flushed += answer->bytes;
    return region.FlushMemory(request.to_host, answer->offset, answer->bytes).ok();
  }
  return true;
}

}  // namespace

void Membership::ClearUpAfterTheDead(const Region& region, const ProcessRef* self) {
  HostControl& mine = region.mine();
  uint64_t flushed = 0;
  for (uint32_t i = 0; i < kHostProcesses; ++i) {
    // Matched by the stores of WriteProcess().
    const uint64_t dead = mine.processes[i].incarnation.load(std::memory_order_acquire);
    if (dead == 0 || (self != nullptr && self->index == i) || region.IsProcessLocked(i)) continue;
    for (uint32_t j = 0; j < kHostNames; ++j) {
      const auto name = ReadName(region, region.host(), j);
      if (name.has_value() && BelongsTo(name->owner, i, dead)) {
        region.Store(mine.names[j].id, uint64_t{0});
      }
    }
    for (uint32_t j = 0; j < kHostRequests; ++j) {
      const auto request = ReadRequest(region, region.host(), j);
      if (!request.has_value() || !BelongsTo(request->owner, i, dead)) continue;
      if (!FlushMemoryOf(region, j, *request, &flushed)) return;
      region.Store(mine.requests[j].id, uint64_t{0});
    }
    for (uint32_t j = 0; j < kHostAnswers; ++j) {
      const auto answer = ReadAnswer(region, region.host(), j);
      if (!answer.has_value() || !BelongsTo(answer->owner, i, dead)) continue;
      if (answer->state == AnswerState::kReserved) {
        region.Store(mine.answers[j].id, uint64_t{0});
      } else {
        region.Store(mine.answers[j].state, static_cast<uint32_t>(AnswerState::kClosed));
      }
    }
    region.Store(mine.processes[i].incarnation, uint64_t{0});
  }
}

absl::StatusOr<std::unique_ptr<Membership>> Membership::Join(std::shared_ptr<const Region> region) {
  // HostLock relies on locks.
  if (const auto locked = region->TryLockProcess(kHostProcesses); !locked.ok()) {
    return absl::FailedPreconditionError(locked.status().message());
  }
  region->UnlockProcess(kHostProcesses);
  region->FlushControl();
  const BootId boot = ReadBootId();
  HostWords& words = region->mine().words;
  if (words.opened.load(std::memory_order_acquire) != 0 && !IsOfThisKernel(words, boot)) {
    if (absl::Status status = CheckNoOtherMachineIsThisHost(region); !status.ok()) return status;
    region->FlushControl();  // a lease has passed
  }
  const Region::HostLock lock(*region);
  ClearUpAfterTheDead(*region, nullptr);
  for (uint32_t i = 0; i < kHostProcesses; ++i) {
    const bool used = region->mine().processes[i].incarnation.load(std::memory_order_acquire) != 0;
    if (used && region->model().private_copy &&
        region->mine().processes[i].pid != static_cast<uint32_t>(getpid())) {
      return absl::FailedPreconditionError(
          "with GRPC_CXL_CHECK_FLUSHES=1 a host of a region can have one process only, since "
          "simulated caches are those of a process");
    }
    if (used) continue;
    const absl::StatusOr<bool> locked = region->TryLockProcess(i);
    if (!locked.ok()) return locked.status();
    if (!*locked) continue;
    region->Store(words.boot_id[0], boot.words[0]);
    region->Store(words.boot_id[1], boot.words[1]);
    ProcessRecord record{.process = {},
                         .beat = 1,
                         .pid = static_cast<uint32_t>(getpid()),
                         .uid = static_cast<uint32_t>(geteuid())};
    WriteProcess(*region, i, record);
    // Announces the entry; matched by the load in RegionServers. relaxed: under the HostLock.
    region->Store(words.opened, words.opened.load(std::memory_order_relaxed) + 1);
    return std::unique_ptr<Membership>(new Membership(region, record.process));
  }
  return absl::ResourceExhaustedError(absl::StrCat("host ", region->host(), " of the region \"",
                                                   region->path(), "\" has ", kHostProcesses,
                                                   " processes already, and cannot have more"));
}

Membership::~Membership() {
  {
    const Region::HostLock lock(*region_);
    region_->Store(region_->mine().processes[self_.index].incarnation, uint64_t{0});
  }
  region_->UnlockProcess(self_.index);
}

void Membership::Renew() {
  SharedU64& beat = region_->mine().processes[self_.index].beat;
  // relaxed: no other thread stores it. Matched by the load in PeerLease.
  region_->Store(beat, beat.load(std::memory_order_relaxed) + 1);
}

}  // namespace grpc_cxl::internal
