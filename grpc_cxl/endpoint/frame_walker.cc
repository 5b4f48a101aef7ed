// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/endpoint/frame_walker.h"

#include <algorithm>
#include <cstring>

namespace grpc_cxl::internal {
namespace {

// RFC 9113, section 6.
constexpr uint8_t kHeaders = 1, kSettings = 4, kPushPromise = 5, kContinuation = 9;
constexpr uint8_t kEndHeaders = 4;
constexpr size_t kSettingBytes = 6;
constexpr size_t kLongestFirst = 16384;

}  // namespace

size_t FrameWalker::Walk(absl::Span<const uint8_t> bytes, bool to_boundary) {
  size_t at = 0;
  while (at < bytes.size() && is_http2_) {
    if (have_ < kHeaderBytes) {
      const size_t size = std::min(kHeaderBytes - have_, bytes.size() - at);
      std::memcpy(header_ + have_, bytes.data() + at, size);
      have_ += size;
      at += size;
      if (have_ == kHeaderBytes) BeginFrame();
    } else {
      const size_t size = std::min(left_, bytes.size() - at);
      left_ -= size;
      at += size;
    }
    if (have_ == kHeaderBytes && left_ == 0) {
      have_ = 0;
      if (to_boundary && MayInsert()) return at;
    }
  }
  return is_http2_ ? at : bytes.size();
}

void FrameWalker::BeginFrame() {
  left_ = size_t{header_[0]} << 16 | size_t{header_[1]} << 8 | header_[2];
  const uint8_t type = header_[3], flags = header_[4];
  if (is_first_) {
    is_first_ = false;
    const bool is_connection =
        (header_[5] & 0x7f) == 0 && header_[6] == 0 && header_[7] == 0 && header_[8] == 0;
    is_http2_ = type == kSettings && flags == 0 && is_connection && left_ <= kLongestFirst &&
                left_ % kSettingBytes == 0;
    return;
  }
  if (type == kHeaders || type == kPushPromise || type == kContinuation) {
    open_headers_ = (flags & kEndHeaders) == 0;
    saw_headers_ = true;
  }
}

}  // namespace grpc_cxl::internal
