#ifndef GRPC_CXL_REGION_REGION_CONNECTION_H_
#define GRPC_CXL_REGION_REGION_CONNECTION_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "grpc_cxl/region/peer_lease.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_entries.h"

namespace grpc_cxl::internal {

// One end of a connection through a region: what its socket is elsewhere. Tells whether the
// peer is still there, and, with its destructor, that the memory is no longer in use here:
// destroy it after the memory is unmapped.
//
// Thread-safe.
class RegionConnection {
 public:
  enum class Role { kClient, kServer };

  // Where the two entries of the connection lie, and who the peer is.
  struct Place {
    Role role;
    uint32_t my_index;
    uint64_t my_id;
    uint32_t peer_host;
    uint32_t peer_index;
    uint64_t peer_id;
    uint32_t peer_pid;  // as the peer's own pid namespace numbers it; for people
  };

  // `late` counts how often this process came so late with renewing its own lease that others
  // may take it for dead; `released` is called by the destructor.
  RegionConnection(std::shared_ptr<const Region> region, const Place& place,
                   std::shared_ptr<PeerLease> peer,
                   std::shared_ptr<const std::atomic<uint64_t>> late,
                   std::function<void()> released);
  RegionConnection(const RegionConnection&) = delete;
  RegionConnection& operator=(const RegionConnection&) = delete;
  ~RegionConnection();

  // Whether the peer has closed its end, has died, or may take us for dead. Once true, always
  // true. Looks at most every kLookInterval; a few loads then.
  bool PeerGone();

  // The peer hears that it is over. At most once counts.
  void Close();

  uint32_t peer_host() const { return place_.peer_host; }
  uint32_t peer_pid() const { return place_.peer_pid; }

 private:
  static constexpr absl::Duration kLookInterval = absl::Milliseconds(2);

  bool Look();

  const std::shared_ptr<const Region> region_;
  const Place place_;
  const std::shared_ptr<PeerLease> peer_;
  const std::shared_ptr<const std::atomic<uint64_t>> late_;
  const uint64_t late_at_first_;
  const std::function<void()> released_;
  std::atomic<bool> closed_{false};
  std::atomic<bool> gone_{false};
  std::atomic<int64_t> next_look_ns_{0};
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_REGION_CONNECTION_H_
