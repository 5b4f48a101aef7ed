// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/secret_exchange.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/base/foreign_fd.h"
#include "grpc_cxl/rendezvous/datagram.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/message_fault.h"
#include "grpc_cxl/rendezvous/process_number.h"

namespace grpc_cxl::internal {
namespace {

constexpr absl::string_view kOtherSecret =
    "'s shared secret is another one; give both ends the same secret file (secret_file or "
    "GRPC_CXL_SECRET_FILE)";

// Fills in the processes at both ends of `socket`.
absl::Status Identify(int socket, uint64_t* own, uint64_t* peer) {
  const absl::StatusOr<uint64_t> here = OwnProcessNumber(), there = PeerProcessNumber(socket);
  if (!here.ok()) return here.status();
  if (!there.ok()) return there.status();
  *own = *here;
  *peer = *there;
  return absl::OkStatus();
}

template <typename Message>
absl::Status Send(int socket, const Message& message) {
  return SendDatagram(socket, &message, sizeof(message));
}

template <size_t kSize>
void Copy(const std::array<uint8_t, kSize>& from, uint8_t (&to)[kSize]) {
  std::copy(from.begin(), from.end(), to);
}

// The next message, of any size; nullopt: none yet. FAILED_PRECONDITION when it has file
// descriptors, and is not received.
struct Received {
  WelcomeMessage bytes;  // the longest message
  size_t size;
};
absl::StatusOr<std::optional<Received>> Receive(int socket, absl::string_view peer) {
  const absl::StatusOr<Waiting> waiting = LookForDatagram(socket);
  if (!waiting.ok()) return waiting.status();
  if (*waiting == Waiting::kNothing) return std::nullopt;
  if (*waiting == Waiting::kMessageWithFds) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the ", peer, " sent file descriptors before it proved that it knows the shared secret"));
  }
  Received received{};
  const absl::StatusOr<std::optional<size_t>> size =
      ReceiveDatagram(socket, &received.bytes, sizeof(received.bytes), /*fds=*/nullptr);
  if (!size.ok()) return size.status();
  if (!size->has_value()) return std::nullopt;
  received.size = **size;
  return received;
}

}  // namespace

absl::Status ServerExchange::SendChallenge(int socket) {
  if (absl::Status status = Identify(socket, &context_.server_process, &context_.client_process);
      !status.ok()) {
    return status;
  }
  context_.server_nonce = FreshNonce();
  ChallengeMessage challenge{};
  challenge.preamble = MyPreamble(kSharedSecret);
  Copy(context_.server_nonce, challenge.nonce);
  return Send(socket, challenge);
}

absl::StatusOr<bool> ServerExchange::ReceiveProof(int socket) {
  const auto refuse = [socket](Refusal refusal, const absl::Status& status) {
    SendRefusal(socket, refusal, std::string(status.message()));
    return status;
  };
  const absl::StatusOr<std::optional<Received>> received = Receive(socket, "client");
  if (absl::IsFailedPrecondition(received.status())) {
    return refuse(Refusal::kNotOurProtocol, received.status());
  }
  if (!received.ok()) return received.status();
  if (!received->has_value()) return false;
  ClientProofMessage message;
  std::memcpy(&message, &(*received)->bytes, sizeof(message));
  if (const Fault fault = FindFault(message, (*received)->size, "client");
      fault.refusal != Refusal::kNone) {
    return refuse(fault.refusal, absl::FailedPreconditionError(fault.text));
  }
  context_.client_nonce = std::to_array(message.nonce);
  if (!secret_.Verify(SharedSecret::Role::kClient, context_, std::to_array(message.proof))) {
    return refuse(Refusal::kSecret,
                  absl::PermissionDeniedError(absl::StrCat("the client", kOtherSecret)));
  }
  ServerProofMessage answer{};
  answer.preamble = MyPreamble(kSharedSecret);
  Copy(secret_.Prove(SharedSecret::Role::kServer, context_), answer.proof);
  if (absl::Status sent = Send(socket, answer); !sent.ok()) return sent;
  return true;
}

absl::StatusOr<bool> ClientExchange::Advance(int socket) {
  static_assert(sizeof(ChallengeMessage) == sizeof(ServerProofMessage));
  for (;;) {
    const absl::StatusOr<std::optional<Received>> received = Receive(socket, "server");
    if (!received.ok()) return received.status();
    if (!received->has_value()) return false;
    const WelcomeMessage& bytes = (*received)->bytes;
    // A server may refuse instead of any of its messages; one without a secret may welcome us.
    const bool ends = (*received)->size == sizeof(WelcomeMessage);
    const Fault fault =
        FindFault(bytes.preamble, (*received)->size,
                  ends ? sizeof(WelcomeMessage) : sizeof(ChallengeMessage), "server");
    if (fault.refusal != Refusal::kNone) return absl::FailedPreconditionError(fault.text);
    if (ends && bytes.refusal != static_cast<uint32_t>(Refusal::kNone)) return RefusalOf(bytes);
    if (ends) return absl::PermissionDeniedError(kServerHasNoSecret);
    if (!proved_) {
      ChallengeMessage challenge;
      std::memcpy(&challenge, &bytes, sizeof(challenge));
      context_.server_nonce = std::to_array(challenge.nonce);
      if (absl::Status status = Answer(socket); !status.ok()) return status;
      proved_ = true;
      continue;
    }
    ServerProofMessage answer;
    std::memcpy(&answer, &bytes, sizeof(answer));
    if (secret_.Verify(SharedSecret::Role::kServer, context_, std::to_array(answer.proof))) {
      return true;
    }
    return absl::PermissionDeniedError(absl::StrCat("the server", kOtherSecret));
  }
}

absl::Status ClientExchange::Answer(int socket) {
  if (absl::Status status = Identify(socket, &context_.client_process, &context_.server_process);
      !status.ok()) {
    return status;
  }
  context_.client_nonce = FreshNonce();
  ClientProofMessage message{};
  message.preamble = MyPreamble(kSharedSecret);
  Copy(context_.client_nonce, message.nonce);
  Copy(secret_.Prove(SharedSecret::Role::kClient, context_), message.proof);
  // The server may send its Welcome right behind its own proof; Advance() receives no file.
  PassDescriptors(socket, true);
  return Send(socket, message);
}

}  // namespace grpc_cxl::internal
