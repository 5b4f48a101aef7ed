// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_PEER_TRUST_H_
#define GRPC_CXL_RENDEZVOUS_PEER_TRUST_H_

#include "absl/strings/string_view.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/trusted_users.h"

namespace grpc_cxl::internal {

// How far a peer that may connect is trusted, from the least. A parser that reads a message where
// it lies can be made to write past its own buffers by a peer that changes the message meanwhile
// (protobuf counts packed varints, reserves space and decodes them unchecked), so in place means
// trust with all of our memory. docs/configuration.md has the rules for each rung.
enum class PeerTrust {
  // A uid of allowed_uids, a member of allowed_gids, a process that knows the secret or could enter
  // the trusted directory, or one of another host.
  kStranger,
  // Our uid or root, by the kernel's word. Pods share uids and nothing else.
  kSameUser,
  // The same, and in our user and pid namespaces: it could ptrace us.
  kSameNamespaces,
  // A uid of trusted_uids.
  kTrusted,
};

// Of the process at the other end of `socket`, which IdentifyPeer() has named. A peer about whom
// the kernel does not tell enough is on the lower rung. Opens files in /proc. Thread-safe.
//
// Before Linux 6.5 (SO_PEERPIDFD) a peer that dies while it connects, and whose pid one of our
// own processes then gets, passes for that.
PeerTrust JudgePeer(int socket, const PeerIdentity& peer, const TrustedUsers& users);

// Whether its messages are parsed where they lie, and files that it could take away mapped.
constexpr bool IsTrustedWithMemory(PeerTrust trust) { return trust >= PeerTrust::kSameNamespaces; }

// "a stranger", "the same user", "the same namespaces", "trusted".
absl::string_view TrustText(PeerTrust trust);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_PEER_TRUST_H_
