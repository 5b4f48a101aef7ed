// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct_calls.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc_cxl/direct/call_counters.h"
#include "grpc_cxl/direct/dispatcher.h"
#include "grpc_cxl/direct/global_interceptor.h"
#include "grpc_cxl/direct/server_link_user.h"
#include "grpc_cxl/event_engine/acceptor.h"
#include "grpc_cxl/event_engine/acceptor_registry.h"
#include "grpc_cxl/event_engine/network_listener.h"
#include "grpc_cxl/event_engine/registered_address.h"
#include "grpc_cxl/payload/peer_metadata.h"
#include "grpc_cxl/rendezvous/peer_text.h"

namespace grpc_cxl {
using internal::Acceptor;
using internal::CallCounters;
using internal::RegisteredAddress;
using internal::ServerLinkUser;

namespace {

// How long a server waits for clients that it has sent away. They leave within milliseconds unless
// they have calls under way, for which gRPC's shutdown waits as well, or are stopped.
constexpr absl::Duration kClientsPatience = absl::Seconds(5);
constexpr absl::Duration kBetweenLooks = absl::Milliseconds(1);

// The addresses of a server that it has not registered yet, as another server has.
std::vector<std::shared_ptr<RegisteredAddress>> Pending(grpc::Server& server) {
  std::vector<std::shared_ptr<RegisteredAddress>> addresses =
      internal::FindAddresses(server.c_server());
  std::erase_if(addresses, [](const auto& address) {
    return !address->may_have_direct_calls() || address->IsRegistered();
  });
  return addresses;
}

// Of those that may have direct calls.
std::vector<std::shared_ptr<Acceptor>> DirectAcceptors(grpc::Server& server) {
  std::vector<std::shared_ptr<Acceptor>> acceptors = internal::FindAcceptors(server.c_server());
  std::erase_if(acceptors, [](const auto& acceptor) { return !acceptor->may_have_direct_calls(); });
  return acceptors;
}

std::shared_ptr<internal::Dispatcher> DispatcherFor(grpc::Server& server,
                                                    const internal::ServiceName& name,
                                                    const internal::ServerLimits& limits) {
  return std::make_shared<internal::Dispatcher>(
      server, absl::StrReplaceAll(name.str(), {{"/", "."}}), limits.max_metadata_bytes,
      limits.max_message_bytes);
}

}  // namespace

absl::Status EnableDirectCalls(grpc::Server& server) {
  // First the pending: what is registered meanwhile is found as an acceptor then.
  const std::vector<std::shared_ptr<RegisteredAddress>> pending = Pending(server);
  const std::vector<std::shared_ptr<Acceptor>> acceptors = DirectAcceptors(server);
  if (internal::HasGlobalInterceptor()) {
    return absl::FailedPreconditionError(
        "direct calls stay off: this process has an interceptor for all its client calls "
        "(RegisterGlobalClientInterceptorFactory), which would see each direct call of the server "
        "as a client call; pass interceptors to the channels instead");
  }
  if (acceptors.empty() && pending.empty()) {
    return absl::NotFoundError(
        "the server has no address for clients in memory without TLS: add one with "
        "AddListeningPort(\"0.0.0.0:50051\", grpc_cxl::ServerCredentials()), or with "
        "\"cxl:///name\"");
  }
  const internal::ServerLimits& limits =
      acceptors.empty() ? pending[0]->limits() : acceptors[0]->limits();
  if (!limits.excludes_direct_calls.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("direct calls stay off: the server has ", limits.excludes_direct_calls,
                     ", which counts HTTP/2 streams only; leave it out to have direct calls"));
  }
  for (const auto& address : pending) {
    address->EnableDirectCallsLater(DispatcherFor(server, address->name(), limits));
  }
  for (const auto& acceptor : acceptors) {
    acceptor->EnableDirectCalls(DispatcherFor(server, acceptor->name(), limits));
  }
  return absl::OkStatus();
}

absl::Status SetCapacity(grpc::Server& server, size_t calls) {
  constexpr size_t kMost = size_t{1} << 20;
  if (calls > kMost) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a server's capacity is ", calls, "; it must be from 0 (any number of calls) to ", kMost));
  }
  const auto capacity = internal::FindCapacity(server.c_server());
  if (capacity == nullptr) {
    return absl::NotFoundError(
        "the server has no address for clients in memory, and so no direct calls: add one with "
        "AddListeningPort(\"0.0.0.0:50051\", grpc_cxl::ServerCredentials())");
  }
  capacity->calls->Set(static_cast<uint32_t>(calls));
  for (const auto& acceptor : internal::FindAcceptors(server.c_server())) acceptor->TellCapacity();
  return absl::OkStatus();
}

void Shutdown(grpc::Server& server, absl::Time deadline) {
  for (const auto& listener : internal::FindNetworkListeners(server.c_server())) {
    listener->Close();
  }
  for (const auto& address : internal::FindAddresses(server.c_server())) address->TryNoMore();
  const std::vector<std::shared_ptr<Acceptor>> acceptors =
      internal::FindAcceptors(server.c_server());
  std::vector<std::shared_ptr<ServerLinkUser>> connections;
  for (const std::shared_ptr<Acceptor>& acceptor : acceptors) {
    for (auto& connection : acceptor->Drain()) connections.push_back(std::move(connection));
  }
  const auto are_drained = [&acceptors] {
    bool drained = true;
    for (const auto& acceptor : acceptors) drained &= acceptor->IsDrained();
    return drained;
  };
  const absl::Time patience = std::min(deadline, absl::Now() + kClientsPatience);
  while (!are_drained() && absl::Now() < patience) absl::SleepFor(kBetweenLooks);
  for (const auto& connection : connections) connection->AwaitResponses(deadline);
  connections.clear();
  if (deadline == absl::InfiniteFuture()) return server.Shutdown();
  server.Shutdown(absl::ToChronoTime(deadline));
}

ServedCallStats GetServedCallStats() {
  const internal::ServedCounters& counters = internal::ServedCounters::OfProcess();
  return {.taken = counters.taken, .refused = counters.refused, .streams = counters.streams};
}

bool AwaitTakeOver(grpc::Server& server, absl::Time deadline) {
  std::vector<std::shared_ptr<Acceptor>> acceptors = internal::FindAcceptors(server.c_server());
  std::erase_if(acceptors, [](const auto& acceptor) { return !acceptor->has_name(); });
  bool taken = !acceptors.empty();
  for (const auto& acceptor : acceptors) taken &= acceptor->AwaitTakeOver(deadline);
  return taken;
}

DirectCallStats GetDirectCallStats() {
  const CallCounters& counters = CallCounters::OfProcess();
  return {
      .direct = counters.direct,
      .direct_streams = counters.direct_streams,
      .http2_streams = counters.http2_streams,
      .in_process = counters.in_process,
      .not_taken = counters.not_taken,
      .no_connection = counters.no_connection,
      .not_eligible = counters.not_eligible,
      .too_large = counters.too_large,
      .no_slot = counters.no_slot,
      .excluded_channel = counters.excluded_channel,
      .global_interceptor = counters.global_interceptor,
      .no_descriptor = counters.no_descriptor,
      .one_way = counters.one_way,
      .one_way_failed = counters.one_way_failed,
      .one_way_background = counters.one_way_background,
  };
}

std::optional<CallPeerIdentity> CallPeer(const grpc::ServerContextBase& context) {
  const std::optional<internal::PeerIdentity> peer =
      internal::ParsePeerText(internal::PeerOf(context));
  if (!peer.has_value()) return std::nullopt;
  return CallPeerIdentity{.pid = peer->pid, .uid = peer->uid, .knows_secret = peer->knows_secret};
}

}  // namespace grpc_cxl
