// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_REGION_PEER_LEASE_H_
#define GRPC_CXL_REGION_PEER_LEASE_H_

#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpc_cxl/base/steady_clock.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_entries.h"

namespace grpc_cxl::internal {

// Watches another process by its beat, with our own clock.
//
//   its host's lock is free, or its entry is gone  -> dead, for certain
//   its beat stood still for the lease             -> dead: the connection ends
//   ... and for kQuarantine leases                 -> its memory may be given to others
//
// A process that was only stopped for a while (SIGSTOP, a host that swaps) notices that it is late,
// and ends its connections (RegionBeat). A store that such a stop delays beyond the quarantine can
// still hit memory that belongs to another connection by then; only a switch that cuts a host off
// could prevent that. So can lines that a dead process has left in its machine's caches, when no
// other process of its host flushes them meanwhile (Membership).
//
// Thread-safe.
class PeerLease {
 public:
  static constexpr int kQuarantine = 10;

  // `self` is this process, which is never dead. `peer` may be nonsense.
  PeerLease(std::shared_ptr<const Region> region, const ProcessRef& self, const ProcessRef& peer);

  bool Expired() { return IsSilentFor(region_->lease()); }
  bool ExpiredForGood() { return IsSilentFor(kQuarantine * region_->lease()); }

 private:
  bool IsSilentFor(absl::Duration patience);

  const std::shared_ptr<const Region> region_;
  const ProcessRef self_;
  const ProcessRef peer_;

  absl::Mutex mu_;
  bool dead_ ABSL_GUARDED_BY(mu_) = false;  // for certain
  uint64_t beat_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Time moved_ ABSL_GUARDED_BY(mu_);  // when beat_ last changed; by SteadyNow()
};

// SteadyNs() as a time.
inline absl::Time SteadyNow() { return absl::FromUnixNanos(SteadyNs()); }

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_PEER_LEASE_H_
