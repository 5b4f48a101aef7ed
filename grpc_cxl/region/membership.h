// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_REGION_MEMBERSHIP_H_
#define GRPC_CXL_REGION_MEMBERSHIP_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_entries.h"

namespace grpc_cxl::internal {

// This process's place in a region: a process entry of its host, and the entry's lock. The
// destructor gives both back; after a death, the next process that joins does. Thread-safe.
class Membership {
 public:
  // Clears up after dead processes of this host first; when there are some, it waits for a lease,
  // to see whether they are. RESOURCE_EXHAUSTED when kHostProcesses live ones have joined;
  // FAILED_PRECONDITION when another machine is this host, when a process of this host holds its
  // lock on another node of the device, or when locks do not work on this kind of file.
  static absl::StatusOr<std::unique_ptr<Membership>> Join(std::shared_ptr<const Region> region);
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;
  ~Membership();

  const ProcessRef& self() const { return self_; }

  // Moves the beat on; from one thread (RegionBeat). False when the place is another's: the process
  // entry is not as this process wrote it, or the host is another machine's. Nothing is stored in
  // the region then, nor later.
  bool Renew();

  // Writes those entries of this process anew that were damaged, unless its place is another's.
  static void MendEntries(const Region& region, const ProcessRef& self)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(region.mutex());
  // The same with the host's lock; false when another has it. Never waits.
  static bool TryMendEntries(const Region& region, const ProcessRef& self);
  // Whether the process entry is this process's, damaged or not.
  static bool IsOwn(const Region& region, const ProcessRef& self);
  // Frees the entry of this process that begins at `place`. One that was damaged, and maybe is
  // another's by now, only with the host's lock: now, or when it is mended next. Never waits.
  static void FreeOwn(const Region& region, const ProcessRef& self, SharedU64& place, uint64_t id);

 private:
  Membership(std::shared_ptr<const Region> region, const ProcessRecord& record)
      : region_(std::move(region)),
        self_(record.process),
        nonce_(record.nonce),
        beat_(record.beat) {}
  bool IsStillMine() const;

  const std::shared_ptr<const Region> region_;
  const ProcessRef self_;
  const uint64_t nonce_;
  uint64_t beat_;  // as stored last
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_MEMBERSHIP_H_
