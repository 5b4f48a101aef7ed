// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_CALL_ROUTES_H_
#define GRPC_CXL_DIRECT_CALL_ROUTES_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/base/counter.h"
#include "grpc_cxl/calls/client_call_areas.h"
#include "grpc_cxl/direct/offer.h"
#include "grpc_cxl/direct/own_server.h"
#include "grpc_cxl/direct/replica_score.h"
#include "grpc_cxl/direct/slot_queue.h"
#include "grpc_cxl/link/link_owner.h"
#include "grpc_cxl/payload/call_blocks.h"
#include "grpc_cxl/polling/watchdog.h"
#include "grpc_cxl/status/call_figures.h"
#include "grpc_cxl/status/stream_figures.h"
#include "grpc_cxl/streams/client_streams.h"

namespace grpc_cxl::internal {

// What became of a connection's direct calls.
struct RouteCounters {
  Counter not_taken;
  CallFigures calls;  // the latency is of those with a response
  StreamFigures streams;
};

// Counts the calls of a connection that have no slots. Thread-safe. All seq_cst: a call that enters
// sees Close(), or who closes sees it as Busy().
class InlineGate {
 public:
  // False after Close(); otherwise Leave() must follow.
  bool Enter() {
    ++inside_;
    if (!closed_) return true;
    --inside_;
    return false;
  }
  void Leave() { --inside_; }
  void Close() { closed_ = true; }
  bool Busy() const { return inside_ > 0; }
  int inside() const { return inside_; }

 private:
  std::atomic<int> inside_{0};
  std::atomic<bool> closed_{false};
};

// A connection for direct calls.
struct CallRoute {
  // Keeps the connection's memory mapped.
  std::shared_ptr<LinkOwner> owner;
  ClientCallAreas* calls = nullptr;
  CallBlocks blocks;
  RouteCounters* counters = nullptr;
  // Of a server in this process, for inline_call.h; else null.
  std::shared_ptr<OwnServer> own = nullptr;
  Watchdog* watchdog = nullptr;  // for them
  InlineGate* gate = nullptr;
  ReplicaScore* score = nullptr;         // of a replica; else null
  std::atomic<bool>* watched = nullptr;  // set and cleared by stuck_replica.h; for replicas
  ClientStreams* streams = nullptr;      // null: none
  std::shared_ptr<SlotQueue> queue;

  // Calls of this client under way, or waiting for that, with and without streams, which may live
  // for long without an answer.
  int busy() const { return calls_busy() + (streams == nullptr ? 0 : streams->busy()); }
  int calls_busy() const {
    return calls->busy() + static_cast<int>(queue->size()) + (gate == nullptr ? 0 : gate->inside());
  }
  // A slot may have become free. Must follow each call, with no lock held.
  void CallOver() const {
    owner->UserIdle();
    queue->Next();
  }
};

// The connections for the direct calls of a channel. Channels with equal keys (channel_target.h)
// and settings share them, whatever other arguments they have. Thread-safe.
class CallRoutes {
 public:
  // The object of this key and number of ChannelSettings (see SettingsRegistry).
  static std::shared_ptr<CallRoutes> For(const std::string& key, int settings);

  // For the next call: of the connections that take calls, the least busy; of those to replicas,
  // the better of two at random (replica_score.h). Not `other_than` if it is a replica's. Null when
  // there is none. `*under_way` becomes that of the replica (ReplicaScore::UnderWay()).
  std::shared_ptr<const CallRoute> Choose(uint32_t* under_way,
                                          const CallRoute* other_than = nullptr) const;
  // Whether another replica than that of `route` has room, and a score of less than half of its.
  bool HasBetterThan(const CallRoute& route) const;
  void Add(std::shared_ptr<const CallRoute> route);
  void Remove(const ClientCallAreas* calls);

  // An offer for the next call over the network to make, instead of an earlier one.
  void SetOffer(std::shared_ptr<const DirectOffer> offer);
  // Once; null when there is none.
  std::shared_ptr<const DirectOffer> TakeOffer();

 private:
  // Of a route with a score.
  static double ScoreOf(const CallRoute& route, int64_t now_ns);
  std::shared_ptr<const CallRoute> LeastBusy() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::shared_ptr<const CallRoute> BetterOfTwo(uint32_t* under_way,
                                               const CallRoute* other_than) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Whether there are routes, for calls on channels that are connected over the network: they take
  // no lock. Stored under mu_ with the routes; loaded by Choose(), which may be late.
  std::atomic<bool> any_{false};
  mutable absl::Mutex mu_;
  std::vector<std::shared_ptr<const CallRoute>> routes_ ABSL_GUARDED_BY(mu_);
  std::atomic<bool> any_offer_{false};  // in the same way
  std::shared_ptr<const DirectOffer> offer_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_CALL_ROUTES_H_
