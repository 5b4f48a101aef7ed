// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/direct_calls.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/direct/call_counters.h"
#include "grpc_cxl/direct/dispatcher.h"
#include "grpc_cxl/direct/global_interceptor.h"
#include "grpc_cxl/direct/server_link_user.h"
#include "grpc_cxl/event_engine/acceptor.h"
#include "grpc_cxl/event_engine/acceptor_registry.h"
#include "grpc_cxl/payload/peer_metadata.h"
#include "grpc_cxl/rendezvous/peer_text.h"

namespace grpc_cxl {
using internal::Acceptor;
using internal::CallCounters;
using internal::ServerLinkUser;

absl::Status EnableDirectCalls(grpc::Server& server) {
  const std::vector<std::shared_ptr<Acceptor>> acceptors =
      internal::FindAcceptors(server.c_server());
  if (internal::HasGlobalInterceptor()) {
    return absl::FailedPreconditionError(
        "direct calls stay off: this process has an interceptor for all its client calls "
        "(RegisterGlobalClientInterceptorFactory), which would see each direct call of the server "
        "as a client call; pass interceptors to the channels instead");
  }
  if (acceptors.empty()) {
    return absl::NotFoundError(
        "the server has registered no address without TLS: add one with "
        "AddListeningPort(\"0.0.0.0:50051\", grpc_cxl::ServerCredentials()), or with "
        "\"cxl:///name\"");
  }
  const absl::string_view argument = acceptors[0]->limits().excludes_direct_calls;
  if (!argument.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("direct calls stay off: the server has ", argument,
                     ", which counts HTTP/2 streams only; leave it out to have direct calls"));
  }
  for (const std::shared_ptr<Acceptor>& acceptor : acceptors) {
    acceptor->EnableDirectCalls(std::make_shared<internal::Dispatcher>(
        server, absl::StrReplaceAll(acceptor->name().str(), {{"/", "."}}),
        acceptor->limits().max_metadata_bytes));
  }
  return absl::OkStatus();
}

void Shutdown(grpc::Server& server, absl::Time deadline) {
  std::vector<std::shared_ptr<ServerLinkUser>> connections;
  for (const std::shared_ptr<Acceptor>& acceptor : internal::FindAcceptors(server.c_server())) {
    for (auto& connection : acceptor->RetireDirectCalls()) {
      connections.push_back(std::move(connection));
    }
  }
  for (const auto& connection : connections) connection->AwaitResponses(deadline);
  connections.clear();
  if (deadline == absl::InfiniteFuture()) return server.Shutdown();
  server.Shutdown(absl::ToChronoTime(deadline));
}

DirectCallStats GetDirectCallStats() {
  const CallCounters& counters = CallCounters::OfProcess();
  return {
      .direct = counters.direct,
      .not_taken = counters.not_taken,
      .no_connection = counters.no_connection,
      .not_eligible = counters.not_eligible,
      .too_large = counters.too_large,
      .no_slot = counters.no_slot,
      .excluded_channel = counters.excluded_channel,
      .global_interceptor = counters.global_interceptor,
      .no_descriptor = counters.no_descriptor,
  };
}

std::optional<CallPeerIdentity> CallPeer(const grpc::ServerContextBase& context) {
  const std::optional<internal::PeerIdentity> peer =
      internal::ParsePeerText(internal::PeerOf(context));
  if (!peer.has_value()) return std::nullopt;
  return CallPeerIdentity{.pid = peer->pid, .uid = peer->uid, .knows_secret = peer->knows_secret};
}

}  // namespace grpc_cxl
