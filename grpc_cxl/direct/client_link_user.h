// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_CLIENT_LINK_USER_H_
#define GRPC_CXL_DIRECT_CLIENT_LINK_USER_H_

#include <atomic>
#include <cstddef>
#include <memory>

#include "absl/status/status.h"
#include "grpc_cxl/calls/client_call_areas.h"
#include "grpc_cxl/direct/call_routes.h"
#include "grpc_cxl/direct/own_server.h"
#include "grpc_cxl/direct/replica_score.h"
#include "grpc_cxl/direct/slot_queue.h"
#include "grpc_cxl/doorbell/spin_budget.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/link/link_user.h"
#include "grpc_cxl/polling/watchdog.h"
#include "grpc_cxl/streams/client_streams.h"

namespace grpc_cxl::internal {

// The client's direct calls as a user of an endpoint's link: a route of its channels while calls
// can be made.
class ClientLinkUser final : public LinkUser {
 public:
  // `link` has `areas` call areas with buffers of `buffer_bytes`, and outlives this. `trust_peer`:
  // see CallBlocks. `is_replica`: the server is one of several. `own` and `watchdog`: see
  // CallRoute. `most_waiting`: see SlotQueue. `streams`: behind the call areas
  // lies that of the streams.
  ClientLinkUser(Link* link, size_t buffer_bytes, size_t areas, bool trust_peer,
                 std::shared_ptr<CallRoutes> routes, const WaitTerms& wait, bool is_replica,
                 std::shared_ptr<OwnServer> own, Watchdog* watchdog, size_t most_waiting,
                 bool streams = false);

  void Start(std::weak_ptr<LinkOwner> owner) override;
  bool Ready() const override {
    return calls_.Ready() || (streams_ != nullptr && streams_->Ready());
  }
  absl::Status Run() override {
    if (streams_ != nullptr) streams_->Run();
    return calls_.Run();
  }
  void Retire() override;
  void Ended() override;
  bool Busy() const override {
    return calls_.busy() > 0 || gate_.Busy() || (streams_ != nullptr && streams_->busy() > 0);
  }
  uint64_t activity() const override;
  void Rest() override {
    calls_.Rest();
    if (streams_ != nullptr) streams_->Rest();
  }
  bool MayRest() const override {
    return calls_.MayRest() || (streams_ != nullptr && streams_->MayRest());
  }
  void FillStatus(StatusConnection* entry) const override;

 private:
  ClientCallAreas calls_;
  const std::unique_ptr<ClientStreams> streams_;  // null: none
  const CallBlocks blocks_;
  RouteCounters counters_;
  const bool is_replica_;
  ReplicaScore score_;
  std::atomic<bool> watched_{false};
  const std::shared_ptr<CallRoutes> routes_;
  const std::shared_ptr<OwnServer> own_;
  Watchdog* const watchdog_;
  InlineGate gate_;
  const size_t most_waiting_;
  std::shared_ptr<SlotQueue> queue_;  // set once, by Start()
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_CLIENT_LINK_USER_H_
