// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_REGION_REGION_SERVERS_H_
#define GRPC_CXL_REGION_REGION_SERVERS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/region/peer_lease.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_entries.h"

namespace grpc_cxl::internal {

// A process that serves a name.
struct RegionServer {
  uint32_t host = 0;
  uint32_t index = 0;    // of the NameEntry
  uint64_t name_id = 0;  // of the NameEntry
  std::shared_ptr<PeerLease> lease;
};

// Finds the servers of names. Remembers their leases: when a server dies, the next attempt need
// not wait for a lease to find that out. Thread-safe.
class RegionServers {
 public:
  RegionServers(std::shared_ptr<const Region> region, const ProcessRef& self);

  // The server of `name` on this host, else that on the lowest host. UNAVAILABLE when there is
  // none, or none that is alive.
  absl::StatusOr<RegionServer> Find(const std::string& name);

 private:
  std::shared_ptr<PeerLease> LeaseOf(uint32_t host, uint32_t index, const NameRecord& name);

  const std::shared_ptr<const Region> region_;
  const ProcessRef self_;

  absl::Mutex mu_;
  // By the host and index of their names.
  std::map<std::pair<uint32_t, uint32_t>, RegionServer> known_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_REGION_SERVERS_H_
