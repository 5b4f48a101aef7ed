// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_REGION_DEAD_PROCESSES_H_
#define GRPC_CXL_REGION_DEAD_PROCESSES_H_

#include <bitset>
#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_entries.h"

// What processes of this host leave in a region when they die, and how the living clear it away.
// Dead is a process whose lock is free and whose beat stands still for a lease, whatever its entry
// says. Thread-safe.
namespace grpc_cxl::internal {

// The process entries that names, requests and answers of that host belong to, whether or not
// these are in use.
using Owners = std::bitset<kHostProcesses>;
Owners OwnersOfEntries(const Region& region, uint32_t host);

// Watches for a lease the processes of this host that hold no lock which this one can see:
// FAILED_PRECONDITION when one is alive.
absl::Status WatchTheSilent(const std::shared_ptr<const Region>& region);

// Frees the names, requests and process entries of dead processes of this host, and closes
// their answers, which stay until their clients are done (RegionAnswers). What dead clients wrote
// and never published leaves this host's caches first, at most kMostFlushedAtATime bytes a call:
// what is left over, the next call does. `self`, which may be null, is not dead.
inline constexpr uint64_t kMostFlushedAtATime = uint64_t{64} << 20;
void ClearUpAfterTheDead(const Region& region, const ProcessRef* self)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(region.mutex());

// Frees what is damaged, when no process of this host is in the region to mend it.
void ScrubIfAlone(const Region& region) ABSL_EXCLUSIVE_LOCKS_REQUIRED(region.mutex());

// Whether the owner of an answer of this host may still use it, as far as the directory tells.
bool MayLive(const Region& region, const ProcessRef& owner);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_DEAD_PROCESSES_H_
