// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_RENDEZVOUS_PEER_TEXT_H_
#define GRPC_CXL_RENDEZVOUS_PEER_TEXT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "grpc_cxl/rendezvous/handshake.h"
#include "grpc_cxl/rendezvous/service_name.h"

// The other process of a connection, as text:
//
//   identity       pid=4711,uid=1000                             (in a region: host=1,pid=4711)
//                  pid=0,uid=65534,secret=proved                 who has proved to know the secret
//                  pid=4711,uid=1000,back=3                      who serves back
//   address        cxl:///payments@pid=4711,uid=1000             what follows the NUL of an
//                                                                abstract unix address
//   peer()         unix-abstract:cxl:///payments@pid=4711,uid=1000
//
// What a server calls a client ends with a seal (peer_seal.h): pid=4711,uid=1000,seal=<16 digits>.
// Without it, a client of the server's unix sockets could bind its own end to any such address;
// with it, to one that it has seen (direct_calls.h, CallPeer()).
//
// Thread-safe.
namespace grpc_cxl::internal {

// Verified by the kernel.
std::string PeerIdentityText(const PeerIdentity& peer);
// Stated by a process of another host; unverified.
std::string RegionPeerText(uint32_t host, uint32_t pid);

// `identity` with the number of the server's line back (section 3.6 of docs/protocol.md).
std::string WithWayBack(absl::string_view identity, int number);

// `identity` with the seal of this process, and without.
std::string SealedIdentity(absl::string_view identity);
absl::string_view WithoutSeal(absl::string_view identity);

// A name that leaves too little space in a unix address for the identity is cut.
std::string PeerAddressText(const ServiceName& name, absl::string_view identity);

// The value of ServerContext::peer() and ClientContext::peer(). gRPC would percent-encode some
// characters, but a name and an identity have none of these.
std::string PeerText(const ServiceName& name, absl::string_view identity);

// From PeerText() of a PeerIdentityText() that this process has sealed; nullopt for any other text.
std::optional<PeerIdentity> ParsePeerText(absl::string_view peer);

// The number in the same text; 0 where it has none.
int WayBackOf(absl::string_view peer);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_RENDEZVOUS_PEER_TEXT_H_
