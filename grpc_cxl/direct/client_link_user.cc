// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct/client_link_user.h"

#include <utility>

#include "grpc_cxl/direct/call_look.h"
#include "grpc_cxl/direct/stream_area.h"

namespace grpc_cxl::internal {

ClientLinkUser::ClientLinkUser(Link* link, size_t buffer_bytes, size_t areas, bool trust_peer,
                               std::shared_ptr<CallRoutes> routes, const WaitTerms& wait,
                               bool is_replica, std::shared_ptr<OwnServer> own, Watchdog* watchdog,
                               size_t most_waiting, bool streams)
    : calls_(
          link->call_area(), buffer_bytes, areas, [link] { link->Wake(); }, link->view(),
          link->polls(), SpinBudget(wait), link->pages(), ClientLookOf(*link)),
      streams_(streams ? std::make_unique<ClientStreams>(StreamsOf(link, buffer_bytes, areas))
                       : nullptr),
      blocks_{link->pool(), link->borrower(), trust_peer},
      is_replica_(is_replica),
      routes_(std::move(routes)),
      own_(std::move(own)),
      watchdog_(watchdog),
      most_waiting_(most_waiting) {}

void ClientLinkUser::Start(std::weak_ptr<LinkOwner> owner) {
  queue_ = std::make_shared<SlotQueue>(&calls_, streams_.get(), owner, most_waiting_);
  routes_->Add(std::make_shared<CallRoute>(CallRoute{.owner = owner.lock(),
                                                     .calls = &calls_,
                                                     .blocks = blocks_,
                                                     .counters = &counters_,
                                                     .own = own_,
                                                     .watchdog = watchdog_,
                                                     .gate = &gate_,
                                                     .score = is_replica_ ? &score_ : nullptr,
                                                     .watched = &watched_,
                                                     .streams = streams_.get(),
                                                     .queue = queue_}));
}

uint64_t ClientLinkUser::activity() const {
  if (streams_ == nullptr) return calls_.posts();
  const BytesThroughRings bytes = streams_->bytes();
  return calls_.posts() + bytes.out + bytes.in;
}

void ClientLinkUser::FillStatus(StatusConnection* entry) const {
  calls_.FillStatus(entry);
  entry->calls_not_taken = counters_.not_taken;
  entry->calls_waiting = queue_->size();
  entry->capacity = calls_.capacity();
  counters_.calls.Fill(entry);
  if (streams_ == nullptr) return;
  counters_.streams.Fill(entry);
  entry->streams_running = static_cast<uint64_t>(streams_->busy());
  const BytesThroughRings bytes = streams_->bytes();
  entry->stream_bytes_out = bytes.out;
  entry->stream_bytes_in = bytes.in;
}

void ClientLinkUser::Retire() {
  routes_->Remove(&calls_);
  gate_.Close();
  if (streams_ != nullptr) streams_->Retire();
  calls_.Retire();
  queue_->Close();
}

void ClientLinkUser::Ended() {
  routes_->Remove(&calls_);
  gate_.Close();
  if (streams_ != nullptr) streams_->Ended();
  queue_->Close();
  calls_.Ended();
}

}  // namespace grpc_cxl::internal
