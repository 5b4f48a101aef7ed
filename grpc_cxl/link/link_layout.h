#ifndef GRPC_CXL_LINK_LINK_LAYOUT_H_
#define GRPC_CXL_LINK_LINK_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "grpc_cxl/doorbell/doorbell_layout.h"
#include "grpc_cxl/ring/ring_layout.h"

// The arena of one connection:
//
//   0        +---------------------------+
//            | LinkHeader                |  server, once, before the client maps it
//   4 KiB    +---------------------------+
//            | LinkSideWords: server     |  server only
//   8 KiB    +---------------------------+
//            | LinkSideWords: client     |  client only
//   12 KiB   +---------------------------+
//            | ring, client to server    |  bytes: client
//            +---------------------------+  + ring_bytes
//            | ring, server to client    |  bytes: server
//            +---------------------------+  + ring_bytes
//            | calls, if agreed upon     |  see direct/call_layout.h
//            +---------------------------+
//            | unused                    |  up to arena_bytes
//            +---------------------------+
//
// Both sides compute these offsets from ring_bytes as agreed in the handshake; neither
// reads an offset from the arena. Pages with different writers are different pages.
namespace grpc_cxl {

inline constexpr uint64_t kArenaMagic = 0x616e6572615f6c78;  // "xl_arena"
inline constexpr size_t kLinkPageBytes = 4096;
inline constexpr size_t kLinkControlBytes = 3 * kLinkPageBytes;

// For people and tools that look at an arena from outside; the peer relies on none of it.
struct LinkHeader {
  uint64_t magic;
  uint64_t arena_bytes;
  uint64_t ring_bytes;
  uint32_t server_pid;       // as the server's pid namespace numbers it
  SharedU32 layout_version;  // stored last, with release: until then the header is not valid
};
static_assert(sizeof(LinkHeader) == 32);
static_assert(offsetof(LinkHeader, arena_bytes) == 8);
static_assert(offsetof(LinkHeader, ring_bytes) == 16);
static_assert(offsetof(LinkHeader, server_pid) == 24);
static_assert(offsetof(LinkHeader, layout_version) == 28);

struct alignas(kWriterAlignment) LinkStateWords {
  // 1: nothing more will be written to the ring, and nothing more read from the other one.
  // The connection may go on for the sake of calls.
  SharedU32 stream_closed;
};
static_assert(sizeof(LinkStateWords) == 128);
static_assert(offsetof(LinkStateWords, stream_closed) == 0);

// All the words that one side writes.
struct LinkSideWords {
  RingWriterWords tx;  // of the ring towards the peer
  RingReaderWords rx;  // of the ring from the peer
  DoorbellWords doorbell;
  LinkStateWords state;
};
static_assert(sizeof(LinkSideWords) == 512);
static_assert(sizeof(LinkSideWords) <= kLinkPageBytes);
static_assert(offsetof(LinkSideWords, rx) == 128);
static_assert(offsetof(LinkSideWords, doorbell) == 256);
static_assert(offsetof(LinkSideWords, state) == 384);

}  // namespace grpc_cxl

#endif  // GRPC_CXL_LINK_LINK_LAYOUT_H_
