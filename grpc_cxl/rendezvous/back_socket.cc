// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/back_socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <utility>

#include "grpc_cxl/rendezvous/datagram.h"
#include "grpc_cxl/rendezvous/handshake_layout.h"
#include "grpc_cxl/rendezvous/message_fault.h"

namespace grpc_cxl::internal {
namespace {

absl::StatusOr<SocketEnds> MakePair() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) {
    return absl::ErrnoToStatus(errno, "cannot make a socket pair");
  }
  return SocketEnds{.ours = UniqueFd(fds[0]), .peers = UniqueFd(fds[1])};
}

bool HasOption(int socket, int option, int expected) {
  int value;
  socklen_t size = sizeof(value);
  return getsockopt(socket, SOL_SOCKET, option, &value, &size) == 0 && value == expected;
}

// Asks the socket layer alone: another file's system could answer whenever it likes.
bool IsConnection(int fd) {
  sockaddr_un peer;
  socklen_t size = sizeof(peer);
  return HasOption(fd, SO_DOMAIN, AF_UNIX) && HasOption(fd, SO_TYPE, SOCK_SEQPACKET) &&
         getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

}  // namespace

absl::StatusOr<SocketEnds> MakeLine() {
  absl::StatusOr<SocketEnds> line = MakePair();
  if (!line.ok()) return line;
  PassDescriptors(line->ours.get(), false);
  shutdown(line->ours.get(), SHUT_RD);
  const int least = 1;  // the kernel makes that a few messages
  setsockopt(line->ours.get(), SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
  return line;
}

absl::StatusOr<UniqueFd> SendBackSocket(int line) {
  absl::StatusOr<SocketEnds> pair = MakePair();
  if (!pair.ok()) return pair.status();
  // Until the client has proved to be there by its Welcome's arena.
  PassDescriptors(pair->ours.get(), false);
  const CallBackMessage message{MyPreamble(kNoFeatures)};
  if (absl::Status sent = SendDatagram(line, &message, sizeof(message), {pair->peers.get()});
      !sent.ok()) {
    return sent;
  }
  return std::move(pair->ours);
}

absl::StatusOr<std::optional<ForeignFd>> ReceiveBackSocket(int line) {
  const absl::StatusOr<Waiting> waiting = LookForDatagram(line);
  if (!waiting.ok()) return waiting.status();
  if (*waiting == Waiting::kNothing) return std::nullopt;
  CallBackMessage message;
  ReceivedFds fds;
  const absl::StatusOr<std::optional<size_t>> size =
      ReceiveDatagram(line, &message, sizeof(message), &fds);
  if (!size.ok()) return size.status();
  if (!size->has_value()) return std::nullopt;
  if (const Fault fault = FindFault(message, **size, "server"); fault.refusal != Refusal::kNone) {
    return absl::FailedPreconditionError(fault.text);
  }
  absl::StatusOr<std::vector<ForeignFd>> files = std::move(fds).Take(1);
  if (!files.ok()) return files.status();
  if (!IsConnection(files->front().get())) {
    return absl::FailedPreconditionError("the server sent another file than a socket to call back");
  }
  return std::move(files->front());
}

void EndLine(int line) { shutdown(line, SHUT_RDWR); }

}  // namespace grpc_cxl::internal
