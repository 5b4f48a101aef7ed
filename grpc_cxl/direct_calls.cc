#include "grpc_cxl/direct_calls.h"

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/direct/call_counters.h"
#include "grpc_cxl/direct/dispatcher.h"
#include "grpc_cxl/direct/metadata.h"
#include "grpc_cxl/direct/server_connection.h"
#include "grpc_cxl/event_engine/acceptor.h"
#include "grpc_cxl/event_engine/listen_context.h"

namespace grpc_cxl {
namespace {

// From "4711" and "1000".
std::optional<CallPeerIdentity> Parse(absl::string_view pid, absl::string_view uid) {
  int32_t pid_number;
  uint32_t uid_number;
  if (!absl::SimpleAtoi(pid, &pid_number) || !absl::SimpleAtoi(uid, &uid_number)) {
    return std::nullopt;
  }
  return CallPeerIdentity{pid_number, uid_number};
}

}  // namespace

absl::Status EnableDirectCalls(grpc::Server& server) {
  const std::vector<std::shared_ptr<Acceptor>> acceptors = FindAcceptors(server.c_server());
  if (acceptors.empty()) {
    return absl::NotFoundError(
        "the server listens on no cxl: address without TLS: add one with "
        "AddListeningPort(\"cxl:///name\", grpc_cxl::ServerCredentials())");
  }
  for (const std::shared_ptr<Acceptor>& acceptor : acceptors) {
    acceptor->EnableDirectCalls(std::make_shared<Dispatcher>(
        server, absl::StrReplaceAll(acceptor->name().str(), {{"/", "."}})));
  }
  return absl::OkStatus();
}

void Shutdown(grpc::Server& server, absl::Time deadline) {
  std::vector<std::shared_ptr<ServerConnection>> connections;
  for (const std::shared_ptr<Acceptor>& acceptor : FindAcceptors(server.c_server())) {
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
  const CallCounters& counters = TheCallCounters();
  const auto value = [](const std::atomic<uint64_t>& counter) {
    return counter.load(std::memory_order_relaxed);
  };
  return {
      .direct = value(counters.direct),
      .not_taken = value(counters.not_taken),
      .no_connection = value(counters.no_connection),
      .not_eligible = value(counters.not_eligible),
      .too_large = value(counters.too_large),
      .no_slot = value(counters.no_slot),
  };
}

std::optional<CallPeerIdentity> CallPeer(const grpc::ServerContextBase& context) {
  const std::string peer = PeerOf(context);
  // "unix-abstract:cxl:///payments@pid=4711,uid=1000"; a name has no "@".
  if (!absl::StartsWith(peer, "unix-abstract:cxl:///")) return std::nullopt;
  const std::vector<absl::string_view> halves = absl::StrSplit(peer, "@pid=");
  if (halves.size() != 2) return std::nullopt;
  const std::vector<absl::string_view> parts = absl::StrSplit(halves[1], ",uid=");
  return parts.size() == 2 ? Parse(parts[0], parts[1]) : std::nullopt;
}

}  // namespace grpc_cxl
