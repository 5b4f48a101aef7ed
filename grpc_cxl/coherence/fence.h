// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_COHERENCE_FENCE_H_
#define GRPC_CXL_COHERENCE_FENCE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "grpc_cxl/base/steady_clock.h"

namespace grpc_cxl::internal {

// Why a connection ends behind a Fence.
inline absl::Status NoLongerOurs() {
  return absl::UnavailableError(
      "this process was silent for longer than its lease of the region, and the memory of this "
      "connection was taken back; the channel connects anew");
}

// What a process knows of its own lease, in its private memory. Written by the thread that renews
// the lease.
struct LeaseTimes {
  // By BootNs(): half a lease after the last renewal. Until then no other process takes this one
  // for dead.
  std::atomic<int64_t> good_until_ns{0};
  // Renewals that came later than that after the one before; counted before good_until_ns moves on.
  std::atomic<uint64_t> gaps{0};
};

// Stands before memory that others may have been given while this process was stopped. After each
// gap in its lease, the first who asks looks at the memory's entry in the directory.
//
// A promise of the moment: a thread that is stopped between the question and its store can still
// hit what has become another's (docs/region.md). Thread-safe.
class Fence {
 public:
  explicit Fence(std::shared_ptr<const LeaseTimes> lease)
      // The first question looks: there may have been a gap since the memory was promised.
      : lease_(std::move(lease)), gaps_seen_(lease_->gaps.load(std::memory_order_relaxed) - 1) {}
  virtual ~Fence() = default;

  // Whether the memory is still ours. Once false, always false. A clock reading.
  bool Holds() {
    // relaxed: a flag of this process, which orders nothing else.
    if (revoked_.load(std::memory_order_relaxed)) return false;
    // acquire: matched by the release store in RegionBeat::Beat(), which counts a gap first.
    const int64_t good_until = lease_->good_until_ns.load(std::memory_order_acquire);
    const uint64_t gaps = lease_->gaps.load(std::memory_order_relaxed);
    if (BootNs() < good_until && gaps == gaps_seen_.load(std::memory_order_relaxed)) return true;
    if (!IsStillOurs()) {
      revoked_.store(true, std::memory_order_relaxed);
      return false;
    }
    gaps_seen_.store(gaps, std::memory_order_relaxed);
    return true;
  }

 private:
  // Looks at the directory.
  virtual bool IsStillOurs() = 0;

  const std::shared_ptr<const LeaseTimes> lease_;
  std::atomic<uint64_t> gaps_seen_;
  std::atomic<bool> revoked_{false};
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_COHERENCE_FENCE_H_
