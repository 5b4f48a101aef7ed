// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_STREAMS_STREAM_MEMORY_H_
#define GRPC_CXL_STREAMS_STREAM_MEMORY_H_

#include <functional>

#include "absl/types/span.h"
#include "grpc_cxl/arena/arena_pages.h"
#include "grpc_cxl/coherence/shared_view.h"
#include "grpc_cxl/streams/stream_layout.h"

namespace grpc_cxl::internal {

// Where the streams of a connection lie, and how to tell the peer of news. A plain value; the
// memory must outlive its users.
struct StreamMemory {
  absl::Span<char> area;  // of kStreamAreaBytes
  StreamNewsWords* client_news;
  StreamNewsWords* server_news;
  std::function<void()> wake_peer;  // from any thread
  SharedView view = {};
  ArenaPages pages = {};

  StreamClientSlot& client_slot(int slot) const {
    return reinterpret_cast<StreamClientSlot*>(area.data())[slot];
  }
  StreamServerSlot& server_slot(int slot) const {
    return reinterpret_cast<StreamServerSlot*>(area.data() + kStreamServerSlotsAt)[slot];
  }
  absl::Span<char> ring_to_server(int slot) const {
    return area.subspan(kStreamRingsAt + slot * kStreamRingBytes, kStreamRingBytes);
  }
  absl::Span<char> ring_to_client(int slot) const {
    return area.subspan(kStreamRingsAt + (kStreamSlots + slot) * kStreamRingBytes,
                        kStreamRingBytes);
  }
};

// One user of a stream: its owner on either side. Thread-safe: several threads may call at a time,
// as one ends the connection beside the polling thread. OnNews() may come behind OnEnded().
class StreamUser {
 public:
  virtual ~StreamUser() = default;
  // Something is new in the slot.
  virtual void OnNews() = 0;
  // Nothing has happened for a while: the stream may give memory back (StreamEnd::Rest()).
  virtual void OnRest() {}
  // The connection has ended: nothing comes any more.
  virtual void OnEnded() = 0;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_STREAMS_STREAM_MEMORY_H_
