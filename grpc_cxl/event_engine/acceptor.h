// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_ACCEPTOR_H_
#define GRPC_CXL_EVENT_ENGINE_ACCEPTOR_H_

#include <grpc/event_engine/event_engine.h>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/direct/server_link_user.h"
#include "grpc_cxl/endpoint/endpoint_core.h"
#include "grpc_cxl/event_engine/acceptor_registry.h"
#include "grpc_cxl/event_engine/client_source.h"
#include "grpc_cxl/event_engine/connection_budget.h"
#include "grpc_cxl/event_engine/cxl_address.h"
#include "grpc_cxl/event_engine/held_endpoint.h"
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/event_engine/status_table.h"
#include "grpc_cxl/polling/watchdog.h"
#include "grpc_cxl/rendezvous/handshake.h"

namespace grpc_cxl::internal {

// Serves one name: makes a connection for each client that the source brings. The source is a
// socket, or the directory of a region if the settings name a region.
//
//   client --> arena made, client told --> endpoint handed over
//       |
//       | a limit reached, no memory, Drain() or Stop()
//       v
//     refused with the reason
//
// Thread-safe; owned by a shared_ptr.
class Acceptor final : public std::enable_shared_from_this<Acceptor> {
 public:
  using EventEngine = grpc_event_engine::experimental::EventEngine;
  using EndpointCallback = std::function<void(std::unique_ptr<EventEngine::Endpoint>)>;

  // Registers the name at once; connections wait until Start(). Errors are those of the settings,
  // SocketClientSource::Open() and RegionClientSource::Open().
  static absl::StatusOr<std::shared_ptr<Acceptor>> Listen(std::shared_ptr<EventEngine> executor,
                                                          Watchdog* watchdog,
                                                          const CxlAddress& address,
                                                          const ServerLimits& limits = {});

  // The same for the clients of `source`, whose name nobody can find. Cannot fail.
  static std::shared_ptr<Acceptor> Of(std::shared_ptr<EventEngine> executor, Watchdog* watchdog,
                                      std::shared_ptr<ClientSource> source, const ServiceName& name,
                                      const ListenContext& context, const ServerLimits& limits);

  // Hands every new endpoint to `on_endpoint`, on any thread, maybe several at a time.
  void Start(EndpointCallback on_endpoint);

  // Has `handler` run the direct calls of all connections, until RetireDirectCalls().
  void EnableDirectCalls(std::shared_ptr<CallHandler> handler);
  bool AwaitTakeOver(absl::Time deadline) { return source_->AwaitTakeOver(deadline); }
  const ServiceName& name() const { return name_; }
  // Whether there is something to take over.
  bool has_name() const { return has_name_; }
  const ServerLimits& limits() const { return limits_; }

  // Makes a name that one client is told, for connections that carry direct calls alone: a client
  // that has come over the network, and is of this host if `identity` says so (host_identity.h).
  // Empty when it is not, when direct calls are off, or when it cannot be done. The name ends with
  // its first client, which may be another that has seen it in the directory, or after 10 s;
  // clients that come at the same moment are served as well.
  std::string Offer(const std::string& identity);

  bool may_have_direct_calls() const { return may_have_direct_calls_; }
  // Tells the clients that the server's capacity has changed.
  void TellCapacity();

  // What a server does before gRPC's shutdown, which ends calls that arrive when it has begun and
  // that the client took for accepted. Gives the name up, refuses clients in the handshake, takes
  // no direct calls, and sends the clients away (EndpointCore::SendGoaway()), while gRPC takes the
  // calls that they have begun. Returns the connections on which direct calls may still run.
  std::vector<std::shared_ptr<ServerLinkUser>> Drain();
  // After Drain(), again and again: whether all clients that could be sent away have gone.
  bool IsDrained();

  // Gives the name up and drops `on_endpoint`; a call of `on_endpoint` that is under way keeps
  // its own copy until it returns. Clients in the handshake are refused. Waits up to 10 ms for
  // running direct calls: Stop() is the first step of a server's shutdown, and gRPC closes the
  // in-process channel of these calls next.
  void Stop();

 private:
  struct Refused {
    Refusal refusal;
    std::string reason;
  };

  Acceptor(std::shared_ptr<EventEngine> executor, Watchdog* watchdog,
           std::shared_ptr<ClientSource> source, const ServiceName& name,
           const ListenContext& context, const ServerLimits& limits, bool has_name);

  // Gives the client an arena and gRPC an endpoint, or refuses the client with the reason.
  void Answer(WaitingClient& client);
  // `line_name`: where its lines begin, if not at the name that it has found.
  std::variant<std::unique_ptr<EventEngine::Endpoint>, Refused> Open(
      WaitingClient& client, bool carries_http2, const std::string& line_name = "");
  // A client of a name that Offer() has made; the end of the name.
  void AnswerOffered(WaitingClient& client);
  void EndOffer(const std::string& name);
  // A connection for direct calls alone.
  void Hold(std::unique_ptr<EventEngine::Endpoint> endpoint);
  // A connection has been made; `user` is null if it cannot carry direct calls.
  void Enlist(const std::shared_ptr<EndpointCore>& core, ServerLinkUser* user, bool carries_http2);
  // Clients make direct calls on the stream path from now on.
  std::vector<std::shared_ptr<ServerLinkUser>> RetireDirectCalls();
  // Takes no clients from now on.
  void Close();

  const std::shared_ptr<EventEngine> executor_;
  Watchdog* const watchdog_;
  const ServiceName name_;
  const bool has_name_;
  const ServerSettings settings_;
  const bool plain_;
  const bool may_have_direct_calls_;
  const ServerLimits limits_;
  const std::shared_ptr<ServerCapacity> capacity_;
  const std::shared_ptr<ConnectionBudget> budget_;
  const std::shared_ptr<ClientSource> source_;
  const std::shared_ptr<ServedName> served_;

  absl::Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  EndpointCallback on_endpoint_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<CallHandler> handler_ ABSL_GUARDED_BY(mu_);  // null: takes no direct calls
  int opening_ ABSL_GUARDED_BY(mu_) = 0;                       // clients in Answer()
  bool retired_ ABSL_GUARDED_BY(mu_) = false;                  // nor will it
  std::vector<std::weak_ptr<ServerLinkUser>> connections_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::shared_ptr<ClientSource>> offered_
      ABSL_GUARDED_BY(mu_);                                             // by name; null: being made
  std::vector<std::weak_ptr<HeldEndpoint>> held_ ABSL_GUARDED_BY(mu_);  // see Hold()
  std::vector<std::weak_ptr<EndpointCore>> cores_ ABSL_GUARDED_BY(mu_);  // if `plain_`
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_ACCEPTOR_H_
