// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_PAYLOAD_PEER_METADATA_H_
#define GRPC_CXL_PAYLOAD_PEER_METADATA_H_

#include <grpcpp/server_context.h>

#include <string>

#include "absl/strings/string_view.h"

namespace grpc_cxl::internal {

// The metadata that a dispatcher adds to a direct call: what peer() would be on the stream path
// (rendezvous/peer_text.h), which nobody else can make because it is sealed. What a client sends
// under this key is dropped from direct calls, and on other paths reaches the handler, where it
// means nothing.
inline constexpr absl::string_view kPeerKey = "cxl-peer-bin";

// peer() of a stream call, or what it would be of a direct call.
inline std::string PeerOf(const grpc::ServerContextBase& context) {
  std::string peer = context.peer();
  if (!peer.empty()) return peer;  // empty: the in-process channel
  const auto it =
      context.client_metadata().find(grpc::string_ref(kPeerKey.data(), kPeerKey.size()));
  return it == context.client_metadata().end() ? std::string()
                                               : std::string(it->second.data(), it->second.size());
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_PAYLOAD_PEER_METADATA_H_
