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
//   its entry is gone                                               -> dead
//   of our own host and on our node of the device, its lock is free -> dead
//   its beat stood still for a lease                                -> dead, or stopped
//
// Each ends the connection. Its memory is used again when the process, or another of its host, has
// given it back, and not before: it may only be stopped, at a breakpoint maybe.
//
// Thread-safe.
class PeerLease {
 public:
  // `self` is this process, which is never dead. `peer` may be nonsense.
  PeerLease(std::shared_ptr<const Region> region, const ProcessRef& self, const ProcessRef& peer);

  bool Expired();

 private:
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
