// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_REGION_REGION_BEAT_H_
#define GRPC_CXL_REGION_REGION_BEAT_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/time/time.h"
#include "grpc_cxl/region/membership.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_entries.h"

namespace grpc_cxl::internal {

// Keeps this process's lease of a region by beats, and notices when a beat came too late.
//
// self() and late() are thread-safe; beats come from one thread.
class RegionBeat {
 public:
  RegionBeat(std::shared_ptr<const Region> region, std::unique_ptr<Membership> membership);

  const ProcessRef& self() const { return membership_->self(); }

  // How often a beat came more than a lease after the one before, so that peers may take this
  // process for dead. Shared: a connection may outlive this object by a moment.
  std::shared_ptr<const std::atomic<uint64_t>> late() const { return late_; }

  // The longest time between two beats: 50 ms, or a tenth of a shorter lease.
  absl::Duration interval() const;

  // Beats when the interval is over. Returns whether it did.
  bool BeatIfDue();

 private:
  const std::shared_ptr<const Region> region_;
  const std::unique_ptr<Membership> membership_;
  const std::shared_ptr<std::atomic<uint64_t>> late_;
  absl::Time last_;  // of the beating thread
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_REGION_BEAT_H_
