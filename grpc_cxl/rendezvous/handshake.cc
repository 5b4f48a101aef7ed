// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/rendezvous/handshake.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/rendezvous/datagram.h"
#include "grpc_cxl/rendezvous/message_fault.h"
#include "grpc_cxl/rendezvous/service_name.h"
#include "grpc_cxl/rendezvous/take_over_layout.h"
#include "grpc_cxl/rendezvous/user_namespace.h"

namespace grpc_cxl::internal {
namespace {

// At most 255 characters: it is sent to the client as the reason.
std::string NotTrusted(absl::string_view peer, absl::string_view self, uid_t uid) {
  if (MayBeUnmapped(uid)) {
    return absl::StrCat("the ", peer, "'s user has no number in the ", self,
                        "'s user namespace (the kernel shows uid ", uid,
                        " for all of them); map it, or trust by directory, group or secret: "
                        "GRPC_CXL_TRUSTED_DIR, GRPC_CXL_ALLOWED_GROUPS, GRPC_CXL_SECRET_FILE");
  }
  return absl::StrCat("the ", peer, " runs as uid ", uid, ", but the ", self, " (uid ", geteuid(),
                      ") accepts only its own user, root and the uids and groups in its options "
                      "allowed_uids and allowed_gids");
}

constexpr absl::string_view kClientHasNoSecret =
    "the server asks for a shared secret, but the client has none; give the client the server's "
    "secret file (secret_file or GRPC_CXL_SECRET_FILE)";

// A server that wants the name of this one. Whether it is to have it is not decided here.
absl::StatusOr<ClientHello> CheckSuccessor(int socket, const PeerIdentity& peer,
                                           const TakeOverMessage& message) {
  if (message.preamble.layout_version != kLayoutVersion) {
    const Fault fault = FindFault(message, sizeof(message), "client");
    SendRefusal(socket, fault.refusal, fault.text);
    return absl::FailedPreconditionError(fault.text);
  }
  if (peer.uid != geteuid() || MayBeUnmapped(peer.uid)) {
    const std::string text = absl::StrCat("a server of another user (uid ", peer.uid,
                                          ") wants to take this one's name over");
    SendRefusal(socket, Refusal::kUid, text);
    return absl::PermissionDeniedError(text);
  }
  return ClientHello{.peer = peer, .claimed_pid = message.pid, .takes_over = true};
}

// A server may have sent more behind its Welcome. Wake-ups (docs/protocol.md, section 6.2) mean
// nothing yet; when this returns, none with a file is left in the queue, and none can come.
absl::Status TakeEarlyWakeUps(int socket) {
  constexpr int kMost = 256;
  for (int i = 0; i < kMost; ++i) {
    const absl::StatusOr<Waiting> waiting = LookForDatagram(socket);
    if (!waiting.ok()) return waiting.status();
    if (*waiting == Waiting::kNothing) return absl::OkStatus();
    if (*waiting == Waiting::kMessageWithFds) break;
    char byte;
    const auto size = ReceiveDatagram(socket, &byte, sizeof(byte), /*fds=*/nullptr);
    if (!size.ok()) return size.status();
  }
  return absl::FailedPreconditionError("the server sent more files, or too much, with its welcome");
}

std::string TextOf(const WelcomeMessage& message) {
  return std::string(message.text, strnlen(message.text, sizeof(message.text)));
}

// Of the server's own, whatever kind that is; or none.
bool MayBeName(absl::string_view text) {
  return text.size() <= ServiceName::kMaxLength &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                  absl::StrContains("./_-=:", c);
         });
}

}  // namespace

absl::Status RefusalStatus(uint32_t refusal, std::string reason) {
  // The text may hold any bytes, and appears on terminals and in logs.
  std::replace_if(
      reason.begin(), reason.end(), [](unsigned char c) { return !absl::ascii_isprint(c); }, '?');
  const std::string text = absl::StrCat("the server refused the connection: ", reason);
  switch (static_cast<Refusal>(refusal)) {
    case Refusal::kUid:
    case Refusal::kSecret:
      return absl::PermissionDeniedError(text);
    case Refusal::kConnectionLimit:
    case Refusal::kArenaBudget:
    case Refusal::kNoMemory:
      return absl::ResourceExhaustedError(text);
    case Refusal::kShuttingDown:
      return absl::UnavailableError(text);
    case Refusal::kNone:
    case Refusal::kNotOurProtocol:
    case Refusal::kVersion:
      break;
  }
  return absl::FailedPreconditionError(text);
}

absl::Status RefusalOf(const WelcomeMessage& message) {
  return RefusalStatus(message.refusal, TextOf(message));
}

absl::StatusOr<PeerIdentity> IdentifyPeer(int socket) {
  ucred credentials;
  socklen_t size = sizeof(credentials);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return absl::ErrnoToStatus(errno, "cannot read the peer's credentials (SO_PEERCRED)");
  }
  return PeerIdentity{.uid = credentials.uid, .pid = credentials.pid};
}

absl::StatusOr<std::optional<ClientHello>> ReceiveHello(int socket, const TrustedUsers& users) {
  const absl::StatusOr<Waiting> waiting = LookForDatagram(socket);
  if (!waiting.ok()) return waiting.status();
  if (*waiting == Waiting::kNothing) return std::nullopt;
  const absl::StatusOr<PeerIdentity> peer = IdentifyPeer(socket);
  if (!peer.ok()) return peer.status();
  const bool trusted = users.secret.has_value() || users.AllowsPeer(socket, peer->uid);
  if (*waiting == Waiting::kMessageWithFds) {
    const std::string text = trusted ? "the client's first message came with file descriptors"
                                     : NotTrusted("client", "server", peer->uid);
    SendRefusal(socket, trusted ? Refusal::kNotOurProtocol : Refusal::kUid, text);
    return trusted ? absl::FailedPreconditionError(text) : absl::PermissionDeniedError(text);
  }
  LineMessage line{};  // the longest
  // Read before anything is refused: closing a unix socket with unread bytes makes the
  // peer see ECONNRESET instead of what was sent to it.
  absl::StatusOr<std::optional<size_t>> size =
      ReceiveDatagram(socket, &line, sizeof(line), /*fds=*/nullptr);
  if (!size.ok()) return size.status();
  if (!size->has_value()) return std::nullopt;
  HelloMessage hello;
  std::memcpy(&hello, &line, sizeof(hello));
  if (!trusted) {
    const std::string text = NotTrusted("client", "server", peer->uid);
    SendRefusal(socket, Refusal::kUid, text);
    return absl::PermissionDeniedError(text);
  }
  if (TakeOverMessage asked; **size == sizeof(asked) && hello.preamble.magic == kHandshakeMagic) {
    std::memcpy(&asked, &hello, sizeof(asked));
    if (asked.step == static_cast<uint32_t>(TakeOverStep::kAsk)) {
      return CheckSuccessor(socket, *peer, asked);
    }
  }
  const bool is_line = **size == sizeof(line) && (line.preamble.features & kServesBack) != 0;
  if (const Fault fault =
          is_line ? FindFault(line, **size, "client") : FindFault(hello, **size, "client");
      fault.refusal != Refusal::kNone) {
    SendRefusal(socket, fault.refusal, fault.text);
    return absl::FailedPreconditionError(fault.text);
  }
  if (is_line) {
    ClientHello claims{.peer = *peer};
    std::copy(std::begin(line.claim), std::end(line.claim), claims.claim.emplace().begin());
    return claims;
  }
  if (const bool asks = (hello.preamble.features & kSharedSecret) != 0;
      asks != users.secret.has_value()) {
    const std::string text(asks ? kServerHasNoSecret : kClientHasNoSecret);
    SendRefusal(socket, Refusal::kSecret, text);
    return absl::PermissionDeniedError(text);
  }
  return ClientHello{.peer = *peer,
                     .claimed_pid = hello.pid,
                     .features = hello.preamble.features,
                     .line_key = {std::to_array(hello.line_key)}};
}

absl::Status SendWelcome(int socket, const ArenaOffer& offer, int arena_fd) {
  WelcomeMessage welcome{};
  welcome.preamble = MyPreamble(offer.features);
  welcome.pid = getpid();
  welcome.refusal = static_cast<uint32_t>(Refusal::kNone);
  welcome.arena_bytes = offer.arena_bytes;
  welcome.ring_bytes = offer.ring_bytes;
  welcome.payload_bytes = offer.payload_bytes;
  welcome.call_buffer_bytes = offer.call_buffer_bytes;
  welcome.sealed = offer.sealed ? 1 : 0;
  welcome.coherence = static_cast<uint32_t>(offer.coherence);
  welcome.granted_pages = offer.granted_pages;
  offer.line_name.copy(welcome.text, sizeof(welcome.text) - 1);
  return SendDatagram(socket, &welcome, sizeof(welcome), {arena_fd});
}

void SendRefusal(int socket, Refusal refusal, const std::string& reason) {
  WelcomeMessage welcome{};
  welcome.preamble = MyPreamble(kNoFeatures);
  welcome.pid = getpid();
  welcome.refusal = static_cast<uint32_t>(refusal);
  reason.copy(welcome.text, sizeof(welcome.text) - 1);
  // A client that has gone needs no reason.
  SendDatagram(socket, &welcome, sizeof(welcome)).IgnoreError();
}

absl::Status CheckServer(int socket, const TrustedUsers& users) {
  const absl::StatusOr<PeerIdentity> peer = IdentifyPeer(socket);
  if (!peer.ok()) return peer.status();
  if (users.secret.has_value()) return absl::OkStatus();  // its proof tells
  if (users.AllowsPeer(socket, peer->uid)) return absl::OkStatus();
  return absl::PermissionDeniedError(NotTrusted("server", "client", peer->uid));
}

absl::Status SendHello(int socket, uint32_t features, const LineKey& line_key) {
  // A server that has to prove a secret gives nothing before.
  if ((features & kSharedSecret) == 0) PassDescriptors(socket, true);
  HelloMessage hello{};
  hello.preamble = MyPreamble(features);
  hello.pid = getpid();
  std::copy(line_key.bytes.begin(), line_key.bytes.end(), hello.line_key);
  return SendDatagram(socket, &hello, sizeof(hello));
}

absl::StatusOr<std::optional<Welcome>> ReceiveWelcome(int socket, const TrustedUsers& users) {
  if (absl::Status trusted = CheckServer(socket, users); !trusted.ok()) return trusted;
  const absl::StatusOr<PeerIdentity> peer = IdentifyPeer(socket);
  if (!peer.ok()) return peer.status();
  if (TooManyToClose()) {
    return absl::ResourceExhaustedError(
        "servers of this process have passed it files that take long to be closed; it takes no "
        "more "
        "until they are");
  }
  WelcomeMessage message;
  ReceivedFds fds;
  absl::StatusOr<std::optional<size_t>> size =
      ReceiveDatagram(socket, &message, sizeof(message), &fds);
  if (!size.ok()) return size.status();
  if (!size->has_value()) return std::nullopt;

  if (const Fault fault = FindFault(message, **size, "server"); fault.refusal != Refusal::kNone) {
    return absl::FailedPreconditionError(fault.text);
  }
  if (message.refusal != static_cast<uint32_t>(Refusal::kNone)) {
    return RefusalOf(message);
  }
  if (message.coherence > static_cast<uint32_t>(Coherence::kFlush)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the server wants coherence ", message.coherence,
                     " of its memory, but this release of grpc_cxl knows only 0 (coherent) and 1 "
                     "(flush)"));
  }
  absl::StatusOr<ForeignFd> arena = std::move(fds).TheOnlyOne();
  if (!arena.ok()) return arena.status();
  PassDescriptors(socket, false);  // all have come
  if (absl::Status status = TakeEarlyWakeUps(socket); !status.ok()) return status;
  Welcome welcome;
  welcome.peer = *peer;
  welcome.claimed_pid = message.pid;
  welcome.offer.arena_bytes = message.arena_bytes;
  welcome.offer.ring_bytes = message.ring_bytes;
  welcome.offer.payload_bytes = message.payload_bytes;
  welcome.offer.call_buffer_bytes = message.call_buffer_bytes;
  welcome.offer.granted_pages = message.granted_pages;
  welcome.offer.sealed = message.sealed != 0;
  welcome.offer.coherence = static_cast<Coherence>(message.coherence);
  welcome.offer.features = message.preamble.features;
  if ((message.preamble.features & kServesBack) != 0) {
    welcome.offer.line_name = TextOf(message);
    if (!MayBeName(welcome.offer.line_name)) {
      return absl::FailedPreconditionError("the server names no name for calls back");
    }
  }
  welcome.arena_fd = *std::move(arena);
  return welcome;
}

}  // namespace grpc_cxl::internal
