// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/region/peer_lease.h"

#include <utility>

namespace grpc_cxl::internal {

PeerLease::PeerLease(std::shared_ptr<const Region> region, const ProcessRef& self,
                     const ProcessRef& peer)
    : region_(std::move(region)), self_(self), peer_(peer), moved_(SteadyNow()) {
  dead_ = peer_.host >= region_->hosts() || peer_.index >= kHostProcesses;
}

bool PeerLease::Expired() {
  if (peer_ == self_) return false;
  absl::MutexLock lock(mu_);
  if (dead_) return true;
  const ProcessEntry& entry = region_->control(peer_.host).processes[peer_.index];
  // Incarnation and beat share a line, so this load brings both. Matched by the stores of
  // WriteProcess() and Membership::Renew().
  if (region_->Load(peer_.host, entry.incarnation) != peer_.incarnation) {
    dead_ = true;
    return true;
  }
  const uint64_t beat = entry.beat.load(std::memory_order_acquire);
  const absl::Time now = SteadyNow();
  if (beat != beat_) {
    beat_ = beat;
    moved_ = now;
  }
  // The kernel knows at once when a process of this host dies. Matched by WriteProcess().
  const Region::Node node{entry.node[0].load(std::memory_order_acquire),
                          entry.node[1].load(std::memory_order_acquire)};
  if (peer_.host == region_->host() && node == region_->node() &&
      !region_->IsProcessLocked(peer_.index)) {
    dead_ = true;
    return true;
  }
  return now - moved_ > region_->lease();
}

}  // namespace grpc_cxl::internal
