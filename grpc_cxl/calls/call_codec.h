// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_CALLS_CALL_CODEC_H_
#define GRPC_CXL_CALLS_CALL_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "grpc_cxl/calls/call_layout.h"

// Requests and responses as bytes. Decoding trusts nothing: every length is checked against
// what is there, and what is left over is an error too. The views that come out point into
// the bytes that went in, which therefore must be the reader's own copy, not shared memory.
namespace grpc_cxl::internal {

inline constexpr uint64_t kNoTimeout = UINT64_MAX;

using MetadataView = std::vector<std::pair<absl::string_view, absl::string_view>>;

struct RequestView {
  uint64_t timeout_ns = kNoTimeout;
  absl::string_view method;  // "/package.Service/Method"
  MetadataView metadata;
  absl::string_view message;
  BlockDescriptor block{};  // bytes not 0: where the message is instead
};

// Bytes of a request up to its message, and writing them. `out` has just that size; the
// message, of `message_bytes`, is written behind it by the caller.
size_t RequestHeadBytes(const RequestView& request);
void EncodeRequestHead(const RequestView& request, size_t message_bytes, absl::Span<char> out);

// DATA_LOSS when the bytes are not one whole request with a plausible method.
absl::StatusOr<RequestView> DecodeRequest(absl::string_view bytes);

struct ResponseView {
  uint32_t code = 0;
  absl::string_view status_message;
  absl::string_view status_details;
  MetadataView initial_metadata;
  MetadataView trailing_metadata;
  bool has_message = false;
  absl::string_view message;
  BlockDescriptor block{};  // bytes not 0: where the message is instead
};

// A response up to its message, which follows it.
std::string EncodeResponseHead(const ResponseView& response, size_t message_bytes);

// DATA_LOSS when the bytes are not one whole response.
absl::StatusOr<ResponseView> DecodeResponse(absl::string_view bytes);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_CALLS_CALL_CODEC_H_
