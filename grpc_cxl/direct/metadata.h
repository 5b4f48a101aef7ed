#ifndef GRPC_CXL_DIRECT_METADATA_H_
#define GRPC_CXL_DIRECT_METADATA_H_

#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <grpcpp/server_context.h>

#include <string>

#include "absl/strings/string_view.h"

namespace grpc_cxl {

// The metadata that a dispatcher adds to a call: what peer() would be on the stream road. What
// a client sends under this key is dropped.
inline constexpr absl::string_view kPeerKey = "cxl-peer-bin";

// What peer() of a stream call is, or would be for a direct call.
inline std::string PeerOf(const grpc::ServerContextBase& context) {
  std::string peer = context.peer();
  if (!peer.empty()) return peer;  // empty: the in-process channel
  const auto it =
      context.client_metadata().find(grpc::string_ref(kPeerKey.data(), kPeerKey.size()));
  return it == context.client_metadata().end() ? std::string()
                                               : std::string(it->second.data(), it->second.size());
}

// Whether gRPC takes this entry; it aborts when it is given one that is not legal.
inline bool IsLegalMetadata(absl::string_view key, absl::string_view value) {
  const grpc_slice key_slice = grpc_slice_from_static_buffer(key.data(), key.size());
  const grpc_slice value_slice = grpc_slice_from_static_buffer(value.data(), value.size());
  return grpc_header_key_is_legal(key_slice) &&
         (grpc_is_binary_header(key_slice) || grpc_header_nonbin_value_is_legal(value_slice));
}

}  // namespace grpc_cxl

#endif  // GRPC_CXL_DIRECT_METADATA_H_
