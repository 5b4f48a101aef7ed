// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_HANDSHAKE_LAYOUT_H_
#define GRPC_CXL_RENDEZVOUS_HANDSHAKE_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "grpc_cxl/base/layout_version.h"

// The messages that open a connection (docs/protocol.md, section 3), one datagram each over
// a SOCK_SEQPACKET unix socket:
//
//   client                     server
//     | --- Hello ---------------> |   checks uid, magic, version
//     | <-- Challenge ------------ |   these three only where both ask for a shared secret
//     | --- ClientProof ---------> |   checks it
//     | <-- ServerProof ---------- |   makes the arena
//     | <-- Welcome + arena's fd --|   or, instead of any of its messages, Welcome with a refusal
//
// Instead of the Hello, a client that the server may call sends a Line: then the server is the one
// to say Hello on this socket, whenever it likes.
namespace grpc_cxl::internal {

inline constexpr uint64_t kHandshakeMagic = 0x6c78635f63707267;  // "grpc_cxl"

// Features a side offers (section 1.4); a connection uses those that both offer.
inline constexpr uint32_t kNoFeatures = 0;
inline constexpr uint32_t kDirectCalls = 1;     // the arena has a call area
inline constexpr uint32_t kSharedSecret = 2;    // both prove that they know a secret
inline constexpr uint32_t kMoreCallAreas = 4;   // the arena has CallAreas() call areas
inline constexpr uint32_t kCallsOnly = 8;       // the stream path is not used
inline constexpr uint32_t kServesBack = 16;     // the client has lines for calls back
inline constexpr uint32_t kDirectStreams = 32;  // behind the call areas lies one of streams

// Why a server refuses a connection (section 3.4); zero: accepted.
enum class Refusal : uint32_t {
  kNone = 0,
  kNotOurProtocol = 1,   // the client's message is not a Hello
  kVersion = 2,          // another layout version
  kUid = 3,              // the server does not accept this user
  kConnectionLimit = 4,  // ServerOptions::max_connections
  kArenaBudget = 5,      // ServerOptions::max_total_arena_bytes
  kNoMemory = 6,         // the kernel has no memory for the arena
  kShuttingDown = 7,
  kSecret = 8,  // one side asks for a shared secret, and the other has none or another
};

// The part that is the same in every version.
//
//    0         8         12         16
//    +---------+---------+----------+--
//    | magic   | version | features |   the rest, as the version has it
//    +---------+---------+----------+--
struct HandshakePreamble {
  uint64_t magic;
  uint32_t layout_version;
  uint32_t features;
};
static_assert(sizeof(HandshakePreamble) == 16);
static_assert(offsetof(HandshakePreamble, magic) == 0);
static_assert(offsetof(HandshakePreamble, layout_version) == 8);
static_assert(offsetof(HandshakePreamble, features) == 12);

inline constexpr size_t kLineKeyBytes = 12;
inline constexpr size_t kLineClaimBytes = 32;

// Written by the client.
struct HelloMessage {
  HandshakePreamble preamble;
  uint32_t pid;                     // in the client's pid namespace; for people
  uint8_t line_key[kLineKeyBytes];  // line.h: with kServesBack, and on a line; else zero
};
static_assert(sizeof(HelloMessage) == 32);
static_assert(offsetof(HelloMessage, preamble) == 0);
static_assert(offsetof(HelloMessage, pid) == 16);
static_assert(offsetof(HelloMessage, line_key) == 20);

// Written by the server.
struct WelcomeMessage {
  HandshakePreamble preamble;
  uint32_t pid;      // in the server's pid namespace; for people
  uint32_t refusal;  // a Refusal; unless kNone, only `text` is meaningful
  uint64_t arena_bytes;
  uint64_t ring_bytes;
  uint64_t payload_bytes;      // of each direction's payload blocks; 0: none
  uint32_t sealed;             // 1: the arena's file must be sealed
  uint32_t call_buffer_bytes;  // of each request and response, with kDirectCalls
  uint32_t coherence;          // a Coherence: how both ends access the arena
  uint32_t granted_pages;      // of the client's payload, to begin with
  char text[256];  // why it is refused; or, with kServesBack, where lines begin; zero-terminated
};
static_assert(sizeof(WelcomeMessage) == 320);
static_assert(offsetof(WelcomeMessage, preamble) == 0);
static_assert(offsetof(WelcomeMessage, pid) == 16);
static_assert(offsetof(WelcomeMessage, refusal) == 20);
static_assert(offsetof(WelcomeMessage, arena_bytes) == 24);
static_assert(offsetof(WelcomeMessage, ring_bytes) == 32);
static_assert(offsetof(WelcomeMessage, payload_bytes) == 40);
static_assert(offsetof(WelcomeMessage, sealed) == 48);
static_assert(offsetof(WelcomeMessage, call_buffer_bytes) == 52);
static_assert(offsetof(WelcomeMessage, coherence) == 56);
static_assert(offsetof(WelcomeMessage, granted_pages) == 60);
static_assert(offsetof(WelcomeMessage, text) == 64);

inline constexpr size_t kNonceBytes = 32;
inline constexpr size_t kProofBytes = 32;

// Written by the server.
struct ChallengeMessage {
  HandshakePreamble preamble;
  uint8_t nonce[kNonceBytes];  // random
};
static_assert(sizeof(ChallengeMessage) == 48);
static_assert(offsetof(ChallengeMessage, preamble) == 0);
static_assert(offsetof(ChallengeMessage, nonce) == 16);

// Written by the client.
struct ClientProofMessage {
  HandshakePreamble preamble;
  uint8_t nonce[kNonceBytes];  // random
  uint8_t proof[kProofBytes];  // shared_secret.h
};
static_assert(sizeof(ClientProofMessage) == 80);
static_assert(offsetof(ClientProofMessage, preamble) == 0);
static_assert(offsetof(ClientProofMessage, nonce) == 16);
static_assert(offsetof(ClientProofMessage, proof) == 48);

// Written by the server.
struct ServerProofMessage {
  HandshakePreamble preamble;
  uint8_t proof[kProofBytes];  // shared_secret.h
};
static_assert(sizeof(ServerProofMessage) == 48);
static_assert(offsetof(ServerProofMessage, preamble) == 0);
static_assert(offsetof(ServerProofMessage, proof) == 16);

// Written by the client, first of all, on a socket that is to be a line (section 3.6).
struct LineMessage {
  HandshakePreamble preamble;      // kServesBack
  uint8_t claim[kLineClaimBytes];  // line.h
};
static_assert(sizeof(LineMessage) == 48);
static_assert(offsetof(LineMessage, preamble) == 0);
static_assert(offsetof(LineMessage, claim) == 16);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_HANDSHAKE_LAYOUT_H_
