// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_METADATA_LIMIT_H_
#define GRPC_CXL_DIRECT_METADATA_LIMIT_H_

#include <climits>
#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "grpc_cxl/calls/call_codec.h"

namespace grpc_cxl::internal {

inline constexpr size_t kDefaultMetadataLimit = 16 << 10;

// How much metadata a side takes, from its GRPC_ARG_MAX_METADATA_SIZE and
// GRPC_ARG_ABSOLUTE_MAX_METADATA_SIZE (-1: not set), as gRPC computes its hard limit. gRPC refuses
// some calls above the soft limit, by chance; direct calls do not.
inline size_t MetadataLimit(int soft, int hard) {
  if (hard >= 0) return static_cast<size_t>(hard);
  if (soft < 0) return kDefaultMetadataLimit;
  const double limit = soft * 1.25;
  return limit < kDefaultMetadataLimit ? kDefaultMetadataLimit
                                       : static_cast<size_t>(limit < INT_MAX ? limit : soft);
}

// What counts against the limit, as in HTTP/2.
inline size_t MetadataSize(const MetadataView& metadata) {
  size_t bytes = 0;
  for (const auto& [key, value] : metadata) bytes += key.size() + value.size() + 32;
  return bytes;
}

// The text is gRPC's.
inline std::string MetadataTooLarge(size_t bytes, size_t limit) {
  return absl::StrCat("received metadata size exceeds hard limit (", bytes, " vs. ", limit, ")");
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_METADATA_LIMIT_H_
