// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/back_listener.h"

#include <unistd.h>

#include <optional>

#include "absl/log/log.h"
#include "absl/status/statusor.h"
#include "grpc_cxl/event_engine/back_server.h"
#include "grpc_cxl/event_engine/numbered.h"
#include "grpc_cxl/rendezvous/back_socket.h"

namespace grpc_cxl::internal {

void BackListener::Start(ForeignFd line, int server, const PeerIdentity& peer, PeerTrust trust,
                         Poller* poller, EndpointCore& connection) {
  std::shared_ptr<BackListener> listener(
      new BackListener(std::move(line), server, peer, trust, poller));
  connection.OnEnd([listener](const absl::Status&) {
    listener->Close();
    listener->bond_->End();
  });
  if (!poller->Add(listener)) listener->Close();
}

void BackListener::OnFdReadable() {
  if (!Listen()) Close();
}

bool BackListener::Listen() {
  absl::MutexLock lock(mu_);
  if (closed_) return true;
  // As many as there may be, and then as many as an honest server would not send.
  for (long i = 0; i < 2 * kMost; ++i) {
    if (TooManyToClose()) return false;
    absl::StatusOr<std::optional<ForeignFd>> socket = ReceiveBackSocket(line_.get());
    if (absl::IsResourceExhausted(socket.status())) continue;  // the server tries again
    if (!socket.ok()) {
      LOG_IF_EVERY_N_SEC(WARNING, !absl::IsUnavailable(socket.status()), 1)
          << "a server calls back no more: " << socket.status().message();
      return false;
    }
    if (!socket->has_value()) return true;
    const std::shared_ptr<BackServer> back = Numbered<BackServer>::Find(server_);
    if (back == nullptr) return false;
    if (ticket_.use_count() > kMost) continue;  // closes it
    // The copies of the connection's ticket hold one of ours.
    back->Adopt(**std::move(socket),
                {peer_, trust_, bond_, std::make_shared<std::shared_ptr<int>>(ticket_)});
  }
  return false;
}

void BackListener::Close() {
  {
    absl::MutexLock lock(mu_);
    if (std::exchange(closed_, true)) return;
  }
  poller_->Remove(this);
  if (getpid() == owner_) EndLine(line_.get());
}

}  // namespace grpc_cxl::internal
