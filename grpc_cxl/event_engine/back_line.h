// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_BACK_LINE_H_
#define GRPC_CXL_EVENT_ENGINE_BACK_LINE_H_

#include <grpc/event_engine/event_engine.h>

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/endpoint/endpoint_core.h"
#include "grpc_cxl/event_engine/life_bond.h"
#include "grpc_cxl/event_engine/numbered.h"
#include "grpc_cxl/event_engine/settings.h"
#include "grpc_cxl/rendezvous/peer_trust.h"

namespace grpc_cxl::internal {

// The way from a server back to one of its clients: the server's end of the line that a connection
// with kServesBack has (back_socket.h). A connection back is an ordinary one, with the handshake,
// an arena of the client's making and its own socket; only its socket comes over the line instead
// of from a name. It is made when a call needs it, and again after it has ended.
//
//   server: BackLine                                  client: BackListener
//     | -- one end of a new socket pair, on the line -->  |
//     | -- Hello, on the pair ------------------------->  |  as any client's: PendingHandshake,
//     | <- Welcome, with the arena ---------------------  |  Acceptor of the BackServer
//
// Ends with the connection, and so do the connections back. Thread-safe; owned by a shared_ptr.
class BackLine final : public std::enable_shared_from_this<BackLine> {
 public:
  using EventEngine = grpc_event_engine::experimental::EventEngine;

  // The client of a connection, as its own handshake has shown it.
  struct Client {
    std::string identity;  // peer_text.h
    PeerTrust trust;
  };

  static std::shared_ptr<BackLine> Make(std::shared_ptr<EventEngine> executor, UniqueFd socket,
                                        Client client, const ServerSettings& settings);
  ~BackLine() { Numbered<BackLine>::Remove(number_); }

  // Lives until `connection` ends.
  void LiveWith(EndpointCore& connection);

  // Its number, from 1 on: Numbered<BackLine>.
  int number() const { return number_; }
  const Client& client() const { return client_; }
  const std::shared_ptr<LifeBond>& bond() const { return bond_; }
  // The server's.
  const ServerSettings& settings() const { return settings_; }

  // A socket on which to say hello. UNAVAILABLE when the connection has ended, or the client serves
  // back no more; errors of SendBackSocket().
  absl::StatusOr<UniqueFd> Dial();

  // What all calls back use, made by the first caller, and dropped when the connection ends; then
  // UNAVAILABLE.
  absl::StatusOr<std::shared_ptr<void>> Channel(absl::FunctionRef<std::shared_ptr<void>()> make);

 private:
  BackLine(std::shared_ptr<EventEngine> executor, UniqueFd socket, Client client,
           const ServerSettings& settings);
  void End();

  const std::shared_ptr<EventEngine> executor_;
  const Client client_;
  const ServerSettings settings_;
  const std::shared_ptr<LifeBond> bond_ = std::make_shared<LifeBond>();
  int number_ = 0;

  absl::Mutex mu_;
  UniqueFd socket_ ABSL_GUARDED_BY(mu_);  // empty: ended
  std::shared_ptr<void> channel_ ABSL_GUARDED_BY(mu_);
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_BACK_LINE_H_
