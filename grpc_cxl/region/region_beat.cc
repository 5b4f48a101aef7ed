// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/region/region_beat.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "absl/log/log.h"
#include "grpc_cxl/base/steady_clock.h"

namespace grpc_cxl::internal {

RegionBeat::RegionBeat(std::shared_ptr<const Region> region, std::unique_ptr<Membership> membership)
    : region_(std::move(region)),
      membership_(std::move(membership)),
      times_(std::make_shared<LeaseTimes>()),
      last_ns_(BootNs()) {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "cxl_beat");
    Run();
  });
}

RegionBeat::~RegionBeat() {
  {
    absl::MutexLock lock(mu_);
    stopping_ = true;
  }
  thread_.join();
}

absl::Duration RegionBeat::interval() const {
  return std::min(absl::Milliseconds(50), region_->lease() / 10);
}

void RegionBeat::Run() {
  while (Beat()) {
    absl::MutexLock lock(mu_);
    if (mu_.AwaitWithTimeout(absl::Condition(&stopping_), interval())) return;
  }
}

bool RegionBeat::Beat() {
  const int64_t now = BootNs();  // before the beat, which others see later
  const int64_t since = now - last_ns_;
  const int64_t lease = absl::ToInt64Nanoseconds(region_->lease());
  last_ns_ = now;
  const bool renewed = membership_->Renew();
  // relaxed: ordered by the release store below, and without one the fences look anyway.
  if (since > lease / 2 || !renewed) times_->gaps.fetch_add(1, std::memory_order_relaxed);
  if (!renewed) {
    LOG(ERROR) << "this process has lost its place in the region \"" << region_->path()
               << "\": while it was silent, others took it for dead, or another machine is host "
               << region_->host() << " as well (give each its own GRPC_CXL_HOST); its connections "
               << "end, and servers must be started anew";
    return false;
  }
  if (since > lease) {
    LOG(WARNING) << "this process renewed its lease of the region \"" << region_->path() << "\" "
                 << absl::Nanoseconds(since) << " after the last time, but must every "
                 << region_->lease() << "; other ends that took it for dead meanwhile have ended "
                 << "their connections";
  }
  // Matched by the acquire load in Fence::Holds().
  times_->good_until_ns.store(now + lease / 2, std::memory_order_release);
  return true;
}

}  // namespace grpc_cxl::internal
