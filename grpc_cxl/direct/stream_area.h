// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DIRECT_STREAM_AREA_H_
#define GRPC_CXL_DIRECT_STREAM_AREA_H_

#include <cstddef>

#include "grpc_cxl/calls/call_layout.h"
#include "grpc_cxl/link/link.h"
#include "grpc_cxl/streams/stream_layout.h"
#include "grpc_cxl/streams/stream_memory.h"

namespace grpc_cxl::internal {

static_assert(sizeof(CallClientWords) <= kStreamNewsAt && sizeof(CallServerWords) <= kStreamNewsAt);

// The streams of a link whose area has `areas` call areas, and behind them that of the streams.
inline StreamMemory StreamsOf(Link* link, size_t buffer_bytes, size_t areas) {
  const absl::Span<char> memory = link->call_area();
  return {.area = memory.subspan(areas * CallAreaBytes(buffer_bytes), kStreamAreaBytes),
          .client_news = reinterpret_cast<StreamNewsWords*>(memory.data() + kStreamNewsAt),
          .server_news = reinterpret_cast<StreamNewsWords*>(memory.data() + kCallServerWordsAt +
                                                            kStreamNewsAt),
          .wake_peer = [link] { link->Wake(); },
          .view = link->view(),
          .pages = link->pages()};
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DIRECT_STREAM_AREA_H_
