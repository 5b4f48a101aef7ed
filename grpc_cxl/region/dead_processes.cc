// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/region/dead_processes.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/region/boot_id.h"
#include "grpc_cxl/region/peer_lease.h"

namespace grpc_cxl::internal {
namespace {

// A process of this host is alive, but its lock is free.
absl::Status LocksDoNotMeet(const Region& region, const ProcessRecord& other) {
  const std::string who = absl::StrCat("process ", other.pid, " of host ", region.host(),
                                       " of the region \"", region.path(), "\" is alive, but ");
  if (BootId::OfThisKernel().IsIn(region.mine().words) && other.node != region.node()) {
    return absl::FailedPreconditionError(
        absl::StrCat(who, "holds its lock on another node of this file or device, where locks do ",
                     "not meet; give all containers of a host the same node, by a bind mount"));
  }
  return absl::FailedPreconditionError(
      absl::StrCat(who, "on another machine; give each its own GRPC_CXL_HOST"));
}

// A process entry, damaged or not.
struct ProcessLook {
  uint32_t index;
  uint64_t incarnation;
  uint64_t beat;
};

ProcessLook LookAtProcess(const Region& region, uint32_t host, uint32_t index) {
  const ProcessEntry& entry = region.control(host).processes[index];
  // Both are in one line, which the first load brings. Matched by the stores of WriteProcess() and
  // Membership::Renew().
  const uint64_t incarnation = region.Load(host, entry.incarnation);
  return {index, incarnation, entry.beat.load(std::memory_order_acquire)};
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
    if (*flushed != 0 && *flushed + answer->bytes > kMostFlushedAtATime) return false;
    *flushed += answer->bytes;
    return region.FlushMemory(request.to_host, answer->offset, answer->bytes).ok();
  }
  return true;
}

}  // namespace

Owners OwnersOfEntries(const Region& region, uint32_t host) {
  Owners owners;
  const auto add = [&](const auto& record) {
    if (record.has_value() && record->owner.index < kHostProcesses) owners.set(record->owner.index);
  };
  for (uint32_t i = 0; i < kHostNames; ++i) add(ReadName(region, host, i));
  for (uint32_t i = 0; i < kHostRequests; ++i) add(ReadRequest(region, host, i));
  for (uint32_t i = 0; i < kHostAnswers; ++i) {
    const auto answer = ReadAnswer(region, host, i);
    // The others have no more to do with their owner.
    if (answer.has_value() &&
        (answer->state == AnswerState::kReserved || answer->state == AnswerState::kOffered)) {
      add(answer);
    }
  }
  return owners;
}

absl::Status WatchTheSilent(const std::shared_ptr<const Region>& region) {
  const auto in_use = [](const ProcessEntry& entry) {
    return entry.incarnation.load(std::memory_order_acquire) != 0;  // matched by WriteProcess()
  };
  if (std::ranges::none_of(region->mine().processes, in_use) &&
      OwnersOfEntries(*region, region->host()).none()) {
    return absl::OkStatus();
  }
  // As an observer: loads from our own host would not look beyond our caches.
  const RegionOptions options{
      .path = region->path(), .host = Region::kObserver, .bytes = 0, .model = region->model()};
  absl::StatusOr<std::shared_ptr<Region>> observer = Region::Open(options);
  if (!observer.ok()) return observer.status();
  const Owners owners = OwnersOfEntries(**observer, region->host());
  std::vector<ProcessLook> before;
  for (uint32_t i = 0; i < kHostProcesses; ++i) {
    const ProcessLook look = LookAtProcess(**observer, region->host(), i);
    if ((look.incarnation != 0 || owners[i]) && !region->IsProcessLocked(i)) before.push_back(look);
  }
  if (before.empty()) return absl::OkStatus();
  const absl::Time start = SteadyNow();
  do {
    absl::SleepFor(region->lease() / 20);
    for (const ProcessLook& old : before) {
      const auto now = ReadProcess(**observer, region->host(), old.index);
      if (now.has_value() && now->process.incarnation == old.incarnation && now->beat != old.beat) {
        return LocksDoNotMeet(*region, *now);
      }
    }
  } while (SteadyNow() - start < region->lease());
  region->FlushControl();  // a lease has passed
  const Region::HostLock lock(*region);
  for (const ProcessLook& old : before) {
    region->silence().Believe(old.index, old.incarnation, old.beat);
  }
  return absl::OkStatus();
}

void ClearUpAfterTheDead(const Region& region, const ProcessRef* self) {
  HostControl& mine = region.mine();
  const Owners owners = OwnersOfEntries(region, region.host());
  uint64_t flushed = 0;
  for (uint32_t i = 0; i < kHostProcesses; ++i) {
    region.FlushLine(&mine.processes[i]);  // maybe another machine's
    const ProcessLook dead = LookAtProcess(region, region.host(), i);
    // What is left of a process whose entry was damaged may be all that tells of it.
    if ((dead.incarnation == 0 && !owners[i]) || (self != nullptr && self->index == i) ||
        region.IsProcessLocked(i)) {
      region.silence().Forget(i);
      continue;
    }
    if (!region.silence().IsSilent(i, dead.incarnation, dead.beat, region.lease())) continue;
    for (uint32_t j = 0; j < kHostNames; ++j) {
      const auto name = ReadName(region, region.host(), j);
      if (name.has_value() && name->owner.index == i) region.Free(mine.names[j].id);
    }
    for (uint32_t j = 0; j < kHostRequests; ++j) {
      const auto request = ReadRequest(region, region.host(), j);
      if (!request.has_value() || request->owner.index != i) continue;
      if (!FlushMemoryOf(region, j, *request, &flushed)) return;
      region.Free(mine.requests[j].id);
    }
    for (uint32_t j = 0; j < kHostAnswers; ++j) {
      const auto answer = ReadAnswer(region, region.host(), j);
      if (!answer.has_value() || answer->owner.index != i) continue;
      if (answer->state == AnswerState::kReserved) {
        region.Free(mine.answers[j].id);
      } else if (answer->state != AnswerState::kClosed) {
        region.Store(mine.answers[j].state, static_cast<uint32_t>(AnswerState::kClosed));
      }
    }
    if (dead.incarnation != 0) region.Free(mine.processes[i].incarnation);
  }
}

void ScrubIfAlone(const Region& region) {
  HostControl& mine = region.mine();
  for (uint32_t i = 0; i < kHostProcesses; ++i) {
    if (LookAtProcess(region, region.host(), i).incarnation != 0 || region.IsProcessLocked(i)) {
      return;
    }
  }
  // Of dead processes whose own entries were damaged, or damaged themselves. Matched by the stores
  // of WriteEntry().
  const auto in_use = [](const SharedU64& id) { return id.load(std::memory_order_acquire) != 0; };
  for (NameEntry& entry : mine.names) {
    if (in_use(entry.id)) region.Free(entry.id);
  }
  for (uint32_t i = 0; i < kHostRequests; ++i) {
    if (!in_use(mine.requests[i].id)) continue;
    uint64_t flushed = 0;
    const auto request = ReadRequest(region, region.host(), i);
    if (request.has_value() && !FlushMemoryOf(region, i, *request, &flushed)) continue;
    region.Free(mine.requests[i].id);
  }
  for (uint32_t i = 0; i < kHostAnswers; ++i) {
    if (!in_use(mine.answers[i].id) || ReadAnswer(region, region.host(), i).has_value()) continue;
    region.Free(mine.answers[i].id);
  }
}

bool MayLive(const Region& region, const ProcessRef& owner) {
  if (owner.index >= kHostProcesses) return false;
  if (const auto process = ReadProcess(region, region.host(), owner.index)) {
    return process->process.incarnation == owner.incarnation;
  }
  // A damaged entry tells nothing. Without one, a process that has lost its place has its lock
  // until it ends.
  return IsDamagedProcess(region, owner.index) || region.IsProcessLocked(owner.index);
}

}  // namespace grpc_cxl::internal
