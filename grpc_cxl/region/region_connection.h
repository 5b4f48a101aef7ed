// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_REGION_REGION_CONNECTION_H_
#define GRPC_CXL_REGION_REGION_CONNECTION_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "grpc_cxl/arena/arena.h"
#include "grpc_cxl/coherence/fence.h"
#include "grpc_cxl/region/peer_lease.h"
#include "grpc_cxl/region/region.h"
#include "grpc_cxl/region/region_beat.h"
#include "grpc_cxl/region/region_entries.h"

namespace grpc_cxl::internal {

// The two entries of a connection, and the peer.
struct RegionPlace {
  enum class Role { kClient, kServer };

  Role role;
  ProcessRef self;
  uint32_t my_index;
  uint64_t my_id;
  uint32_t peer_index;
  uint64_t peer_id;
  ProcessRef peer;    // its host has the entry `peer_index`
  uint32_t peer_pid;  // as the peer's own pid namespace numbers it; for people
  // The connection's memory, checked.
  uint32_t memory_host;
  uint64_t memory_offset;
  uint64_t memory_bytes;
};

// Looks at the entries of a connection: whether both sides still stand by them.
class RegionFence final : public Fence {
 public:
  RegionFence(std::shared_ptr<const Region> region, const RegionPlace& place,
              std::shared_ptr<const LeaseTimes> times)
      : Fence(std::move(times)), region_(std::move(region)), place_(place) {}

  // Whether the peer's entry says that it uses the memory.
  bool PeerStands() const;
  // Whether this process's entry is still its own, in whatever state. Mends it if it is damaged;
  // false as well when another process has the host's lock just then. Never waits.
  bool OwnEntryStands() const;
  // Whether the entry is another's by now, for all that is known: damage alone does not say so.
  bool OwnEntryIsLost() const;

 private:
  const SharedU64& OwnId() const;
  bool OwnEntryIsWhole() const;
  bool IsStillOurs() override { return OwnEntryStands() && PeerStands(); }

  const std::shared_ptr<const Region> region_;
  const RegionPlace place_;
};

// One end of a connection through a region, which has no socket: tells whether the peer is still
// there. Its destructor drops the memory from this host's caches, which takes about a millisecond
// for 4 MiB, and tells the peer that this end no longer uses it: destroy it after the memory is
// unmapped.
//
// Thread-safe.
class RegionConnection {
 public:
  using Place = RegionPlace;
  using Role = RegionPlace::Role;

  // `beat` is this process's; the destructor calls `released`.
  RegionConnection(std::shared_ptr<const Region> region, const RegionBeat& beat, const Place& place,
                   std::function<void()> released);
  RegionConnection(const RegionConnection&) = delete;
  RegionConnection& operator=(const RegionConnection&) = delete;
  ~RegionConnection();

  // Whether the peer has closed its end or has died, or this process has lost its place. Once true,
  // always true. Looks at most every kLookInterval; a few loads then.
  bool PeerGone();

  // Tells the peer that the connection is over. Further calls have no effect.
  void Close();

  std::shared_ptr<Fence> fence() const { return fence_; }

  uint32_t peer_host() const { return place_.peer.host; }
  uint32_t peer_pid() const { return place_.peer_pid; }

 private:
  static constexpr absl::Duration kLookInterval = absl::Milliseconds(2);

  const std::shared_ptr<const Region> region_;
  const Place place_;
  PeerLease lease_;  // the peer's
  const std::shared_ptr<RegionFence> fence_;
  const std::function<void()> released_;
  std::atomic<bool> closed_{false};
  std::atomic<bool> gone_{false};
  std::atomic<int64_t> next_look_ns_{0};
};

// The outcome of a request. Its destructor unmaps the memory first.
struct RegionOffer {
  std::shared_ptr<RegionConnection> connection;  // null: refused
  std::optional<Arena> arena;                    // empty without a connection
  AnswerRecord answer;  // the sizes in it are the server's words, not yet checked
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_REGION_CONNECTION_H_
