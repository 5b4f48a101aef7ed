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
  // Clears up after dead processes of this host first. RESOURCE_EXHAUSTED when kHostProcesses
  // live ones have joined; FAILED_PRECONDITION when another machine is this host, or when locks
  // do not work on this kind of file. Waits for a lease when the host's entries were made before
  // the machine was booted, to see whether their processes are gone.
  static absl::StatusOr<std::unique_ptr<Membership>> Join(std::shared_ptr<const Region> region);
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;
  ~Membership();

  const ProcessRef& self() const { return self_; }

  // Moves the beat on; from one thread (RegionBeat).
  void Renew();

  // Frees the names, requests and process entries of dead processes of this host, and closes
  // their answers, which stay until their clients are done (RegionAnswers). What dead clients
  // wrote and never published leaves this host's caches first, at most kMostFlushed bytes a call:
  // what is left over, the next call does.
  static constexpr uint64_t kMostFlushed = uint64_t{64} << 20;
  static void ClearUpAfterTheDead(const Region& region, const ProcessRef* self)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(region.mutex());

 private:
  Membership(std::shared_ptr<const Region> region, const ProcessRef& self)
      : region_(std::move(region)), self_(self) {}

  const std::shared_ptr<const Region> region_;
  const ProcessRef self_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_MEMBERSHIP_H_
