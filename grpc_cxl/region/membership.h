#ifndef GRPC_CXL_REGION_MEMBERSHIP_H_
#define GRPC_CXL_REGION_MEMBERSHIP_H_

#include <memory>

#include "absl/status/statusor.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_entries.h"

namespace grpc_cxl::internal {

// This process among those of its host: holds a process entry and its lock. The destructor
// leaves; the process's death does as well, and who joins next clears up. Thread-safe.
class Membership {
 public:
  // Clears up after dead processes of this host first. RESOURCE_EXHAUSTED when
  // kHostProcesses live ones have joined; FAILED_PRECONDITION when another machine is this
  // host, or when locks do not work on this kind of file. Takes a lease when the last
  // processes of this host ran before the machine was booted, to see that they are gone.
  static absl::StatusOr<std::unique_ptr<Membership>> Join(std::shared_ptr<const Region> region);
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;
  ~Membership();

  const ProcessRef& self() const { return self_; }

  // Moves the beat on; from one thread (RegionBeat).
  void Renew();

  // Ends what dead processes of this host have left: names, requests, process entries. Their
  // answers are closed and stay until their clients are done (RegionNode).
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
