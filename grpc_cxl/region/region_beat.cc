// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/region/region_beat.h"

#include <algorithm>
#include <utility>

#include "absl/log/log.h"
#include "grpc_cxl/region/peer_lease.h"

namespace grpc_cxl::internal {

RegionBeat::RegionBeat(std::shared_ptr<const Region> region, std::unique_ptr<Membership> membership)
    : region_(std::move(region)),
      membership_(std::move(membership)),
      late_(std::make_shared<std::atomic<uint64_t>>(0)),
      last_(SteadyNow()) {}

absl::Duration RegionBeat::interval() const {
  return std::min(absl::Milliseconds(50), region_->lease() / 10);
}

bool RegionBeat::BeatIfDue() {
  const absl::Time now = SteadyNow();
  const absl::Duration since = now - last_;
  if (since < interval()) return false;
  if (since > region_->lease()) {
    // Counted before the beat: connections must not outlive the peers' opinion of this process.
    // relaxed: the release store of Renew() orders the two for peers, and a connection of this
    // process sees the count at one of its next looks.
    late_->fetch_add(1, std::memory_order_relaxed);
    LOG(WARNING) << "this process renewed its lease of the region \"" << region_->path() << "\" "
                 << since << " after the last time, but must every " << region_->lease()
                 << "; its connections end, since their other ends take it for dead";
  }
  last_ = now;
  membership_->Renew();
  return true;
}

}  // namespace grpc_cxl::internal
