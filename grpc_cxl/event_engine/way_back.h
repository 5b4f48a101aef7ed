// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_WAY_BACK_H_
#define GRPC_CXL_EVENT_ENGINE_WAY_BACK_H_

#include <grpc/event_engine/event_engine.h>

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/endpoint/endpoint_core.h"
#include "grpc_cxl/event_engine/life_bond.h"
#include "grpc_cxl/event_engine/numbered.h"
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/rendezvous/line.h"
#include "grpc_cxl/rendezvous/peer_trust.h"

namespace grpc_cxl::internal {

// The way from a server back to one of its clients, whose connection has kServesBack: has a line
// (line.h), or waits for one. A connection back is an ordinary one, with the handshake and an arena
// of the client's making; only its socket is one that the client has connected. It is made when a
// call needs it, and again after it has ended.
//
//   client: LineKeeper                           server: WayBack
//     | -- Line, on a socket of its own ---------> |  keeps the newest, until there is a call
//     | <- Hello, on the line -------------------- |  as any client: SocketAttempt
//     | -- Welcome, with the arena --------------> |
//     | -- Line, on the next socket -------------> |
//
// Ends with the connection, and so do the connections back. Thread-safe; owned by a shared_ptr.
class WayBack final : public std::enable_shared_from_this<WayBack> {
 public:
  using EventEngine = grpc_event_engine::experimental::EventEngine;
  using OnLine = absl::AnyInvocable<void(absl::StatusOr<UniqueFd>)>;

  // The client of a connection, as its own handshake has shown it.
  struct Client {
    std::string identity;  // peer_text.h
    PeerTrust trust;
  };

  static std::shared_ptr<WayBack> Make(std::shared_ptr<EventEngine> executor, LineSource lines,
                                       Client client, const ServerSettings& settings);
  ~WayBack();

  // Lives until `connection` ends.
  void LiveWith(EndpointCore& connection);

  // Its number, from 1 on: Numbered<WayBack>.
  int number() const { return number_; }
  const Client& client() const { return client_; }
  const LineKey& key() const { return lines_.key; }
  const std::shared_ptr<LifeBond>& bond() const { return bond_; }
  // The server's.
  const ServerSettings& settings() const { return settings_; }

  // A socket that claims to be a line has come to some name of this process. PERMISSION_DENIED when
  // it belongs to no connection, or comes from another process than its client; errors of
  // PeerProcess::Of().
  static absl::Status Bring(UniqueFd& socket, const LineClaim& claim);

  // Calls `on_line` once, maybe before it returns: with a line on which to say hello; UNAVAILABLE
  // when the connection has ended; DEADLINE_EXCEEDED when no line has come for so long.
  void Await(EventEngine::Duration patience, OnLine on_line);

  // What all calls back use, made by the first caller, and dropped when the connection ends; then
  // UNAVAILABLE.
  absl::StatusOr<std::shared_ptr<void>> Channel(absl::FunctionRef<std::shared_ptr<void>()> make);

 private:
  struct Waiting {
    OnLine on_line;
    EventEngine::TaskHandle timer;
  };

  WayBack(std::shared_ptr<EventEngine> executor, LineSource lines, Client client,
          const ServerSettings& settings);
  void Take(UniqueFd line);
  void GiveUp(int waiting);
  void End();

  const std::shared_ptr<EventEngine> executor_;
  const LineSource lines_;
  const Client client_;
  const ServerSettings settings_;
  const std::shared_ptr<LifeBond> bond_ = std::make_shared<LifeBond>();
  int number_ = 0;

  absl::Mutex mu_;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  UniqueFd line_ ABSL_GUARDED_BY(mu_);
  int last_waiting_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<int, Waiting> waiting_ ABSL_GUARDED_BY(mu_);  // empty while there is a line
  std::shared_ptr<void> channel_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_WAY_BACK_H_
