// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/line.h"

#include <sys/socket.h>

#include <algorithm>
#include <string>

#include "grpc_cxl/rendezvous/datagram.h"
#include "grpc_cxl/rendezvous/handshake_layout.h"
#include "grpc_cxl/rendezvous/message_fault.h"
#include "grpc_cxl/rendezvous/process_number.h"

namespace grpc_cxl::internal {

absl::Status SendLine(int socket, const LineClaim& claim) {
  LineMessage message{};
  message.preamble = MyPreamble(kServesBack);
  std::copy(claim.begin(), claim.end(), message.claim);
  return SendDatagram(socket, &message, sizeof(message));
}

namespace {

// The server's refusal, if it has refused the line; OK when it has said something else, or nothing.
absl::Status TakeRefusal(int line) {
  WelcomeMessage message;
  const ssize_t size = recv(line, &message, sizeof(message), MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC);
  if (size != sizeof(message) ||
      FindFault(message, sizeof(message), "server").refusal != Refusal::kNone ||
      message.refusal == static_cast<uint32_t>(Refusal::kNone)) {
    return absl::OkStatus();
  }
  return RefusalOf(message);
}

}  // namespace

absl::StatusOr<std::optional<ClientHello>> ReceiveHelloOnLine(int line, const LineKey& key) {
  if (absl::Status refused = TakeRefusal(line); !refused.ok()) return refused;
  // CheckServer() has judged its user, and the key says more than a secret.
  absl::StatusOr<std::optional<ClientHello>> hello = ReceiveHello(line, {.everybody = true});
  if (!hello.ok() || !hello->has_value()) return hello;
  if ((*hello)->takes_over || (*hello)->claim.has_value() || !AreEqual((*hello)->line_key, key)) {
    const std::string text = "the server says hello on a line of another connection";
    SendRefusal(line, Refusal::kUid, text);
    return absl::PermissionDeniedError(text);
  }
  return hello;
}

absl::StatusOr<PeerProcess> PeerProcess::Of(int socket) {
  const absl::StatusOr<PeerIdentity> peer = IdentifyPeer(socket);
  if (!peer.ok()) return peer.status();
  const absl::StatusOr<uint64_t> number = PeerProcessNumber(socket);
  if (!number.ok()) return number.status();
  return PeerProcess{.pid = peer->pid, .number = *number};
}

}  // namespace grpc_cxl::internal
