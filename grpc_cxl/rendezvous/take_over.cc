// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/take_over.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpc_cxl/base/foreign_fd.h"
#include "grpc_cxl/rendezvous/datagram.h"
#include "grpc_cxl/rendezvous/dial.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/message_fault.h"
#include "grpc_cxl/rendezvous/peer_trust.h"
#include "grpc_cxl/rendezvous/take_over_layout.h"
#include "grpc_cxl/rendezvous/user_namespace.h"

namespace grpc_cxl::internal {
namespace {

// An owner answers on its polling thread; a longer silence means that it is stopped.
constexpr int kPatienceMs = 1000;

absl::Status Send(int socket, TakeOverStep step, absl::Span<const int> fds = {}) {
  TakeOverMessage message{};
  message.preamble = MyPreamble(kNoFeatures);
  message.pid = getpid();
  message.step = static_cast<uint32_t>(step);
  return SendDatagram(socket, &message, sizeof(message), fds);
}

// What the peer says; nullopt: nothing yet. FAILED_PRECONDITION: nothing that we know; the status
// of a refusal.
absl::StatusOr<std::optional<TakeOverStep>> Receive(int socket, const char* peer,
                                                    ReceivedFds* fds) {
  union {
    TakeOverMessage message;
    WelcomeMessage welcome;
  } received;
  std::memset(&received, 0, sizeof(received));
  const absl::StatusOr<std::optional<size_t>> size =
      ReceiveDatagram(socket, &received, sizeof(received), fds);
  if (!size.ok()) return size.status();
  if (!size->has_value()) return std::nullopt;
  if (**size == sizeof(WelcomeMessage) && received.welcome.refusal != 0) {
    return RefusalOf(received.welcome);
  }
  if (const Fault fault = FindFault(received.message, **size, peer);
      fault.refusal != Refusal::kNone) {
    return absl::FailedPreconditionError(fault.text);
  }
  return static_cast<TakeOverStep>(received.message.step);
}

// False: nothing comes.
bool AwaitMessage(int socket) {
  pollfd readable = {.fd = socket, .events = POLLIN, .revents = 0};
  return poll(&readable, 1, kPatienceMs) > 0;
}

absl::Status KeptBy(const PeerIdentity& owner, absl::string_view why) {
  return absl::AlreadyExistsError(absl::StrCat(
      "process ", owner.pid, " serves it and keeps it: ", why, "; stop that server first"));
}

}  // namespace

absl::StatusOr<TakeOver> TakeOver::Ask(const RendezvousDirectory& directory,
                                       const ServiceName& name, const TrustedUsers& users) {
  absl::StatusOr<UniqueFd> socket = Dial(directory, name);
  if (!socket.ok()) return socket.status();
  const absl::StatusOr<PeerIdentity> owner = IdentifyPeer(socket->get());
  if (!owner.ok()) return owner.status();
  if (owner->uid != geteuid() || MayBeUnmapped(owner->uid)) {
    return KeptBy(*owner, "it is another user's");
  }
  // It may keep a copy of the socket, in which clients see our credentials from then on. Of an
  // owner that has just died the kernel does not tell enough either, but closes its socket.
  if (!IsTrustedWithMemory(JudgePeer(socket->get(), *owner, users))) {
    if (AwaitMessage(socket->get())) return absl::UnavailableError("the owner has died");
    return KeptBy(*owner, "it is in other user or pid namespaces, and not of trusted_uids");
  }
  PassDescriptors(socket->get(), true);
  if (absl::Status asked = Send(socket->get(), TakeOverStep::kAsk); !asked.ok()) return asked;
  if (!AwaitMessage(socket->get())) return KeptBy(*owner, "it does not answer");
  const absl::StatusOr<std::optional<TakeOverStep>> answer =
      Receive(socket->get(), "server", /*fds=*/nullptr);
  if (absl::IsUnavailable(answer.status())) return answer.status();
  if (!answer.ok()) return KeptBy(*owner, answer.status().message());
  if (*answer != TakeOverStep::kWilling) return KeptBy(*owner, "it says something else");
  return TakeOver(*std::move(socket));
}

absl::StatusOr<TakenName> TakeOver::Take() {
  // An error says that the owner has left. It may have sent us its name before.
  Send(socket_.get(), TakeOverStep::kNow).IgnoreError();
  const bool answered = AwaitMessage(socket_.get());
  // From here on the owner can send nothing. What it has sent by then is ours.
  if (!answered) shutdown(socket_.get(), SHUT_RD);
  ReceivedFds fds;
  const absl::StatusOr<std::optional<TakeOverStep>> answer = Receive(socket_.get(), "server", &fds);
  if (!answer.ok() && !absl::IsUnavailable(answer.status())) return answer.status();
  if (!answer.ok() || *answer != TakeOverStep::kYours) {
    return absl::UnavailableError(answered ? "the owner has left" : "the owner does not answer");
  }
  absl::StatusOr<std::vector<ForeignFd>> files = std::move(fds).Take(2);
  if (!files.ok()) return files.status();
  return TakenName{(*files)[0].Release(), (*files)[1].Release()};
}

absl::Status SendWilling(int socket) { return Send(socket, TakeOverStep::kWilling); }

absl::StatusOr<bool> ReceiveNow(int socket) {
  const absl::StatusOr<Waiting> waiting = LookForDatagram(socket);
  if (!waiting.ok()) return waiting.status();
  if (*waiting == Waiting::kNothing) return false;
  if (*waiting == Waiting::kMessageWithFds) {
    return absl::FailedPreconditionError("the successor sends files");
  }
  const absl::StatusOr<std::optional<TakeOverStep>> said =
      Receive(socket, "client", /*fds=*/nullptr);
  if (!said.ok()) return said.status();
  if (!said->has_value()) return false;
  if (*said == TakeOverStep::kNow) return true;
  return absl::FailedPreconditionError("the successor says something else than that it is ready");
}

absl::Status SendName(int socket, int lock, int listening_socket) {
  return Send(socket, TakeOverStep::kYours, {lock, listening_socket});
}

}  // namespace grpc_cxl::internal
