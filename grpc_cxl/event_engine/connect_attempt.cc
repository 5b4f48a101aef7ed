// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/connect_attempt.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/direct/client_link_user.h"
#include "grpc_cxl/event_engine/connection_log.h"
#include "grpc_cxl/event_engine/endpoint_assembly.h"
#include "grpc_cxl/event_engine/line_keeper.h"
#include "grpc_cxl/event_engine/path_counters.h"
#include "grpc_cxl/rendezvous/replica_name.h"
#include "grpc_cxl/streams/stream_layout.h"

namespace grpc_cxl::internal {

using grpc_event_engine::experimental::EventEngine;

absl::StatusOr<std::unique_ptr<Endpoint>> ConnectRequest::Open(
    LinkParts parts, const ArenaOffer& offer, const std::string& peer_identity, PeerTrust trust,
    std::shared_ptr<OwnServer> own, const LineKey& line_key) const {
  const bool direct = routes != nullptr && (offer.features & kDirectCalls) != 0;
  const size_t buffer_bytes = offer.call_buffer_bytes;
  if (direct && !IsCallBufferSize(buffer_bytes)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the server offers call buffers of ", buffer_bytes,
                     " bytes, a size that this client does not support; update both to one "
                     "version of grpc_cxl, or turn direct calls off "
                     "(ChannelOptions::direct_calls)"));
  }
  constexpr uint32_t kNeeded = kDirectCalls | kCallsOnly;
  if (calls_only && (offer.features & kNeeded) != kNeeded) {
    return absl::FailedPreconditionError(
        "the replica takes no connection for direct calls alone: its server has none, or its "
        "budget is used up (ServerOptions::max_total_arena_bytes)");
  }
  const size_t areas = (offer.features & kMoreCallAreas) != 0 ? CallAreas(buffer_bytes) : 1;
  const bool streams = direct && (offer.features & features() & kDirectStreams) != 0;
  const ConnectionTerms terms{
      .side = Link::Side::kClient,
      .name = name,
      .peer_identity = peer_identity,
      .trust = trust,
      .pool_key = pool_key,
      .sizes = {.ring_bytes = offer.ring_bytes,
                .payload_bytes = offer.payload_bytes,
                .call_bytes = (direct ? areas * CallAreaBytes(buffer_bytes) : 0) +
                              (streams ? kStreamAreaBytes : 0),
                .granted_pages = offer.granted_pages},
      .settings = settings,
      .is_probe = is_probe};
  absl::StatusOr<std::shared_ptr<EndpointCore>> core =
      AssembleCore(std::move(parts), terms, executor, [&](Link* link) {
        return std::make_unique<ClientLinkUser>(
            link, buffer_bytes, areas, IsTrustedWithMemory(trust), routes, settings.wait(),
            IsReplicaName(name), std::move(own), poller->watchdog(), settings.max_waiting_calls,
            streams);
      });
  if (!core.ok()) return core.status();
  if (serve_back > 0 && (offer.features & kServesBack) != 0) {
    const ServiceName at = offer.line_name.empty() ? name : ServiceName::Reserved(offer.line_name);
    LineKeeper::Start({executor, poller, settings, at, line_key, serve_back}, **core);
  }
  if (!is_probe) PathCounters::OfProcess().memory.Add();
  return StartEndpoint(*std::move(core), terms, poller);
}

void ConnectAttempt::WaitWith(EventEngine::TaskHandle timer) {
  {
    absl::MutexLock lock(mu_);
    if (on_connect_ == nullptr) {
      request_.executor->Cancel(timer);
      return;
    }
    timer_ = timer;
    if (BeginWaiting()) return;
  }
  Finish(absl::ResourceExhaustedError(
      "the kernel watches no more sockets for this user; raise fs.epoll.max_user_watches"));
}

void ConnectAttempt::Finish(Result result) {
  EventEngine::OnConnectCallback on_connect;
  EventEngine::TaskHandle timer;
  {
    absl::MutexLock lock(mu_);
    on_connect = std::exchange(on_connect_, nullptr);
    timer = timer_;
  }
  if (!on_connect) return;
  if (!result.ok() && !request_.is_probe) {
    LogConnection(request_.settings, [&] {
      return absl::StrCat("cxl:///", request_.name.str(),
                          ": no connection: ", result.status().message());
    });
  }
  EndWaiting();
  if (timer != EventEngine::TaskHandle::kInvalid) request_.executor->Cancel(timer);
  on_connect(std::move(result));
}

absl::Status ConnectAttempt::TooLate() const {
  return absl::DeadlineExceededError(absl::StrCat("the server of \"", request_.name.str(),
                                                  "\" did not answer the handshake in time; check "
                                                  "whether it is stopped or overloaded"));
}

}  // namespace grpc_cxl::internal
