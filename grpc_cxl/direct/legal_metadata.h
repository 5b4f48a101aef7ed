// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_LEGAL_METADATA_H_
#define GRPC_CXL_DIRECT_LEGAL_METADATA_H_

#include <grpc/grpc.h>
#include <grpc/slice.h>

#include "absl/strings/string_view.h"

namespace grpc_cxl::internal {

// Whether gRPC accepts this entry: it aborts on an illegal entry.
inline bool IsLegalMetadata(absl::string_view key, absl::string_view value) {
  const grpc_slice key_slice = grpc_slice_from_static_buffer(key.data(), key.size());
  const grpc_slice value_slice = grpc_slice_from_static_buffer(value.data(), value.size());
  return grpc_header_key_is_legal(key_slice) &&
         (grpc_is_binary_header(key_slice) || grpc_header_nonbin_value_is_legal(value_slice));
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_LEGAL_METADATA_H_
