// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_ENDPOINT_FRAME_WALKER_H_
#define GRPC_CXL_ENDPOINT_FRAME_WALKER_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

namespace grpc_cxl::internal {

// Finds the places between the frames that an HTTP/2 server sends where a client may be told
// something more. Reads the nine bytes before each frame and nothing else; bytes that do not begin
// with a server's SETTINGS are not HTTP/2 (TLS, for one), and have no such place.
//
// Not thread-safe.
class FrameWalker {
 public:
  // Walks over the next bytes and returns how many there were; with `to_boundary` at most to the
  // first place where MayInsert() becomes true.
  size_t Walk(absl::Span<const uint8_t> bytes, bool to_boundary);

  // Whether a frame may be inserted here: between two frames, of which no second one continues the
  // headers of the first, and after headers of the server's. These show that a call was made on
  // the connection, so that gRPC is done with connecting: it would miss a GOAWAY before that.
  bool MayInsert() const { return saw_headers_ && !open_headers_ && have_ == 0; }

  bool IsHttp2() const { return is_http2_; }

 private:
  static constexpr size_t kHeaderBytes = 9;

  void BeginFrame();

  uint8_t header_[kHeaderBytes] = {};
  size_t have_ = 0;  // of the header; 0: between two frames
  size_t left_ = 0;  // of the frame's payload
  bool is_first_ = true;
  bool is_http2_ = true;
  bool open_headers_ = false;
  bool saw_headers_ = false;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_ENDPOINT_FRAME_WALKER_H_
