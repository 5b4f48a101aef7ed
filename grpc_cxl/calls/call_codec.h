// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_CALLS_CALL_CODEC_H_
#define GRPC_CXL_CALLS_CALL_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/priority_level.h"

// Requests and responses as bytes. Decoding trusts nothing: it checks every length against the
// bytes that are there, and surplus bytes are an error. Decoded views point into their input,
// which must be the reader's own copy, not shared memory.
namespace grpc_cxl::internal {

inline constexpr uint64_t kNoTimeout = UINT64_MAX;

// Keys of requests with a meaning of their own: the call's authority, which is no metadata to the
// handler, and the client's user agent.
inline constexpr absl::string_view kAuthorityKey = ":authority";
inline constexpr absl::string_view kUserAgentKey = "user-agent";

// So many entries as most calls have take no allocation.
using MetadataView = absl::InlinedVector<std::pair<absl::string_view, absl::string_view>, 6>;

struct RequestView {
  uint64_t timeout_ns = kNoTimeout;
  absl::string_view method;  // "/package.Service/Method"
  MetadataView metadata;
  absl::string_view message;
  BlockDescriptor block{};                 // bytes not 0: the message is there instead
  Priority priority = Priority::kDefault;  // of the slot, not in the bytes
};

// The size of a request up to its message, and its bytes, written to `out`, which has that size.
// The caller writes the message, of `message_bytes`, behind it.
size_t RequestHeadBytes(const RequestView& request);
void EncodeRequestHead(const RequestView& request, size_t message_bytes, absl::Span<char> out);

// Of a request as bytes, if it has a deadline and as many bytes: so much of its time is gone.
void ShortenTimeout(uint64_t by_ns, std::string* request);

// DATA_LOSS when the bytes are not exactly a request with a plausible method.
absl::StatusOr<RequestView> DecodeRequest(absl::string_view bytes);

struct ResponseView {
  uint32_t code = 0;
  absl::string_view status_message;
  absl::string_view status_details;
  MetadataView initial_metadata;
  MetadataView trailing_metadata;
  bool has_message = false;
  absl::string_view message;
  BlockDescriptor block{};  // bytes not 0: the message is there instead
};

// The bytes of a response up to its message, which follows them: there is capacity for it.
std::string EncodeResponseHead(const ResponseView& response, size_t message_bytes);

// DATA_LOSS when the bytes are not exactly a response.
absl::StatusOr<ResponseView> DecodeResponse(absl::string_view bytes);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_CALLS_CALL_CODEC_H_
