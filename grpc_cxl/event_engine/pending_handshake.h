// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_EVENT_ENGINE_PENDING_HANDSHAKE_H_
#define GRPC_CXL_EVENT_ENGINE_PENDING_HANDSHAKE_H_

#include <grpc/event_engine/event_engine.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/base/unique_fd.h"
#include "grpc_cxl/polling/pollable.h"
#include "grpc_cxl/polling/poller.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/secret_exchange.h"

namespace grpc_cxl::internal {

class SocketClientSource;

// A connection that has been accepted and whose Hello, or the proof of its secret, has not come.
// Ends once: with these, with an error, after 10 s, when it has to give way (PendingHandshakes), or
// when the source stops.
class PendingHandshake final : public Pollable,
                               public std::enable_shared_from_this<PendingHandshake> {
 public:
  // `client` is the process at the other end of `socket`.
  PendingHandshake(std::shared_ptr<SocketClientSource> source, Poller* poller, UniqueFd socket,
                   const PeerIdentity& client)
      : source_(std::move(source)), poller_(poller), client_(client), socket_(std::move(socket)) {}

  void Start();
  const PeerIdentity& client() const { return client_; }
  // Another handshake of the same user needs its place.
  void Drop();
  // The source stops: refuses the client.
  void Refuse();

  int fd() const override { return socket_.get(); }
  void OnFdReadable() override;

 private:
  // nullopt: not yet.
  absl::StatusOr<std::optional<ClientHello>> Receive();
  // True for the first caller only, which must take the socket.
  bool End();
  UniqueFd TakeSocket();
  // After End().
  void Close(Refusal refusal, const std::string& reason);

  const std::shared_ptr<SocketClientSource> source_;
  Poller* const poller_;
  const PeerIdentity client_;
  absl::Mutex mu_;
  UniqueFd socket_;                   // moved out under mu_, by the thread that ended the handshake
  std::optional<ClientHello> hello_;  // used under mu_
  std::optional<ServerExchange> exchange_;  // used under mu_, after the Hello
  // End() exchanges it before Remove(); Start() loads it after Add().
  std::atomic<bool> ended_{false};
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_EVENT_ENGINE_PENDING_HANDSHAKE_H_
