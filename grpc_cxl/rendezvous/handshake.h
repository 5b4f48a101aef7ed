// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_HANDSHAKE_H_
#define GRPC_CXL_RENDEZVOUS_HANDSHAKE_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/base/foreign_fd.h"
#include "grpc_cxl/coherence/memory_model.h"
#include "grpc_cxl/rendezvous/handshake_layout.h"
#include "grpc_cxl/rendezvous/line_key.h"
#include "grpc_cxl/rendezvous/trusted_users.h"

// The two ends of the handshake (handshake_layout.h). Nothing here blocks, whatever the
// socket's flags: a step that must wait for the peer returns nullopt; call again when the
// socket is readable. Time limits are the caller's. After an error, close the socket.
//
// The peer may send anything. At most 256 characters of its text become part of a status,
// unprintable characters as `?`; unexpected file descriptors are closed. A peer that closes or
// dies is UNAVAILABLE, "the peer closed the connection
// during the handshake". Thread-safe for different sockets.
namespace grpc_cxl::internal {

struct PeerIdentity {
  uid_t uid = 0;              // by the kernel
  pid_t pid = 0;              // by the kernel, in our pid namespace; 0 when it has no number there
  bool knows_secret = false;  // has proved so
};

// By SO_PEERCRED.
absl::StatusOr<PeerIdentity> IdentifyPeer(int socket);

// The server's terms for a client that it accepts. On the client's side they are unchecked:
// Arena::Attach() and Link::Create() check them.
struct ArenaOffer {
  uint64_t arena_bytes = 0;
  uint64_t ring_bytes = 0;
  uint64_t payload_bytes = 0;
  uint32_t call_buffer_bytes = 0;
  uint32_t granted_pages = 0;
  bool sealed = true;
  Coherence coherence = Coherence::kCoherent;
  uint32_t features = kNoFeatures;
  // With kServesBack: the name at which lines (line.h) begin. Empty: that of this connection.
  std::string line_name = {};
};

struct ClientHello {
  PeerIdentity peer;
  uint32_t claimed_pid = 0;  // as the client's pid namespace numbers it, unverified; for people
  uint32_t features = kNoFeatures;
  LineKey line_key = {};    // with kServesBack, and on a line
  bool takes_over = false;  // no client but a server that asks for the name (take_over.h)
  std::optional<LineClaim> claim = std::nullopt;  // no Hello but a Line (line.h)
};

// Server, step 1: reads and checks Hello and the peer's uid or, where a secret counts instead,
// whether the client asks for one too. PERMISSION_DENIED (uid, secret) or FAILED_PRECONDITION
// (protocol, version); the client has been sent the reason. A Hello with file descriptors is not
// received at all; close its socket where that may take long. Between steps 1 and 2, secrets are
// proved (secret_exchange.h).
absl::StatusOr<std::optional<ClientHello>> ReceiveHello(int socket, const TrustedUsers& users);

// Server, step 2: either function, always after step 1, because closing a unix socket with unread
// bytes discards what was sent to the peer. `arena_fd` may be closed afterwards. A
// refusal that cannot be delivered is dropped; 255 bytes of `reason` are sent.
absl::Status SendWelcome(int socket, const ArenaOffer& offer, int arena_fd);
void SendRefusal(int socket, Refusal refusal, const std::string& reason);

// Client, before step 1: PERMISSION_DENIED when the server's user is not trusted, of which a client
// should neither receive anything nor tell it anything. Where a secret counts, any user will do.
absl::Status CheckServer(int socket, const TrustedUsers& users);

// Client, step 1. From now on the server may send a file descriptor, unless `features` has
// kSharedSecret.
absl::Status SendHello(int socket, uint32_t features, const LineKey& line_key = {});

struct Welcome {
  PeerIdentity peer;
  uint32_t claimed_pid = 0;  // as the server's pid namespace numbers it, unverified; for people
  ArenaOffer offer;
  ForeignFd arena_fd;
};

// Client, step 2. The server reads our requests, so its uid must be trusted too. The uid is
// checked before anything is read: PERMISSION_DENIED. FAILED_PRECONDITION when the message is not
// a Welcome, of another version, or names an unknown kind of coherence or an impossible name for
// lines. A refusal becomes
// PERMISSION_DENIED (uid, secret), FAILED_PRECONDITION (version, protocol), RESOURCE_EXHAUSTED
// (limit, budget, memory) or UNAVAILABLE (shutting down) with the server's reason in the text.
absl::StatusOr<std::optional<Welcome>> ReceiveWelcome(int socket, const TrustedUsers& users);

// The status for a refusal. Unprintable characters of `reason` become `?`.
absl::Status RefusalStatus(uint32_t refusal, std::string reason);
absl::Status RefusalOf(const WelcomeMessage& message);

// What a client is told, or finds out, that asks a server without one for a secret.
inline constexpr absl::string_view kServerHasNoSecret =
    "the client asks for a shared secret, but the server has none; give the server the client's "
    "secret file (secret_file or GRPC_CXL_SECRET_FILE)";

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_HANDSHAKE_H_
