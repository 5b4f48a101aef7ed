// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_REGION_REGION_BEAT_H_
#define GRPC_CXL_REGION_REGION_BEAT_H_

#include <cstdint>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpc_cxl/coherence/fence.h"
#include "grpc_cxl/region/membership.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_entries.h"

namespace grpc_cxl::internal {

// Keeps this process's lease of a region by beats, from a thread of its own that waits for nothing
// else: no lock of the host, no cache, no callback. Thread-safe.
class RegionBeat {
 public:
  RegionBeat(std::shared_ptr<const Region> region, std::unique_ptr<Membership> membership);
  ~RegionBeat();

  const ProcessRef& self() const { return membership_->self(); }

  // For the Fence of each connection. Shared: a connection may outlive this object by a moment.
  std::shared_ptr<const LeaseTimes> times() const { return times_; }

  // The longest time between two beats: 50 ms, or a tenth of a shorter lease.
  absl::Duration interval() const;

 private:
  // False when this process has lost its place.
  bool Beat();
  void Run();

  const std::shared_ptr<const Region> region_;
  const std::unique_ptr<Membership> membership_;
  const std::shared_ptr<LeaseTimes> times_;
  int64_t last_ns_;  // by BootNs(); of the beating thread

  absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_REGION_BEAT_H_
