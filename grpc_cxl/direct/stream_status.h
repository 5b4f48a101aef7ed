// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_STREAM_STATUS_H_
#define GRPC_CXL_DIRECT_STREAM_STATUS_H_

#include <grpcpp/support/status.h>

#include <cstdint>

#include "absl/strings/str_cat.h"

// How a stream ends at the client. The texts are those of a call over HTTP/2, where there is one.
namespace grpc_cxl::internal {

inline grpc::Status StreamCancelled() {
  return grpc::Status(grpc::StatusCode::CANCELLED, "CANCELLED");
}

inline grpc::Status StreamTooLate() {
  return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded");
}

// `how`: "Sent" or "Received".
inline grpc::Status StreamMessageTooLarge(const char* how, uint64_t bytes, uint64_t limit) {
  return grpc::Status(
      grpc::StatusCode::RESOURCE_EXHAUSTED,
      absl::StrCat("CLIENT: ", how, " message larger than max (", bytes, " vs. ", limit, ")"));
}

inline grpc::Status StreamUnavailable(const char* why) {
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, why);
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_STREAM_STATUS_H_
