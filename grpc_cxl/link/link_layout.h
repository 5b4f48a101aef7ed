// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_LINK_LINK_LAYOUT_H_
#define GRPC_CXL_LINK_LINK_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "grpc_cxl/blocks/block_layout.h"
#include "grpc_cxl/doorbell/doorbell_layout.h"
#include "grpc_cxl/ring/ring_layout.h"

// The arena of one connection (docs/protocol.md, section 4):
//
//   0        +---------------------------+
//            | LinkHeader                |  server, once
//   4 KiB    +---------------------------+
//            | LinkSideWords: server     |  server only
//   8 KiB    +---------------------------+
//            | LinkSideWords: client     |  client only
//   12 KiB   +---------------------------+
//            | ring, client to server    |  bytes: client
//            +---------------------------+  + ring_bytes
//            | ring, server to client    |  bytes: server
//            +---------------------------+  + ring_bytes
//            | returns, of the first     |  server; see blocks/block_layout.h
//            |          payload below    |
//            +---------------------------+  + ReturnBytes(payload_bytes)
//            | returns, of the second    |  client
//            +---------------------------+  + ReturnBytes(payload_bytes)
//            | calls, if agreed upon     |  see calls/call_layout.h
//            +---------------------------+  + call_bytes
//            | payload, client to server |  bytes: client
//            +---------------------------+  + payload_bytes, maybe 0
//            | payload, server to client |  bytes: server
//            +---------------------------+  + payload_bytes
//            | unused                    |  up to arena_bytes
//            +---------------------------+
//
// A connection that makes small calls only touches the beginning: its page tables stay small.
// Both sides compute these offsets from the sizes agreed in the handshake; neither reads an
// offset from the arena. Pages with different writers are different pages.
namespace grpc_cxl::internal {

inline constexpr uint64_t kArenaMagic = 0x616e6572615f6c78;  // "xl_arena"
inline constexpr size_t kLinkControlBytes = 3 * kPageBytes;

// The document's ArenaHeader. For people and tools that look at an arena from outside; the peer
// relies on none of it. The client may map the arena before this is written.
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
  // 1: this side writes nothing more to its ring and reads nothing more from the other one.
  // Direct calls may go on (section 5.4).
  SharedU64 stream_closed;
};
static_assert(sizeof(LinkStateWords) == 128);
static_assert(offsetof(LinkStateWords, stream_closed) == 0);

// The document's LookLine (section 11.1). Where caches do not see each other, a look at a word is a
// trip to memory, and a polling thread looks at several all the time. So the words of a side that
// its peer's polling thread looks at lie in one line there, instead of where they lie otherwise,
// and those places stay 0.
//
// Not where memory is coherent: threads of one side would take the line from each other, since a
// handler's stores its calls' words, and the polling thread `tail`. And not as a summary of the
// others: that would cost the writer one store more for each, and the reader a second trip.
struct alignas(64) LinkLookLine {
  SharedU64 stream_closed;  // first: who sees 1 has the last `head` (rule 3 of SharedView)
  SharedU64 head;           // of RingWriterWords
  SharedU64 tail;           // of RingReaderWords
  SharedU64 returned;       // of BlockReturnWords
  SharedU64 calls[4];       // of the first call area: its CallClientLook or CallServerLook
};
static_assert(sizeof(LinkLookLine) == 64);
static_assert(offsetof(LinkLookLine, head) == 8);
static_assert(offsetof(LinkLookLine, tail) == 16);
static_assert(offsetof(LinkLookLine, returned) == 24);
static_assert(offsetof(LinkLookLine, calls) == 32);

// The document's SideWords: all the words that one side writes.
struct LinkSideWords {
  RingWriterWords tx;  // of the ring towards the peer
  RingReaderWords rx;  // of the ring from the peer
  DoorbellWords doorbell;
  LinkStateWords state;
  BlockOwnerWords blocks;    // of the payload towards the peer
  BlockReturnWords returns;  // of the payload from the peer
  alignas(kWriterAlignment) LinkLookLine look;
};
static_assert(sizeof(LinkSideWords) == 896);
static_assert(sizeof(LinkSideWords) <= kPageBytes);
static_assert(offsetof(LinkSideWords, rx) == 128);
static_assert(offsetof(LinkSideWords, doorbell) == 256);
static_assert(offsetof(LinkSideWords, state) == 384);
static_assert(offsetof(LinkSideWords, blocks) == 512);
static_assert(offsetof(LinkSideWords, returns) == 640);
static_assert(offsetof(LinkSideWords, look) == 768);

// Where those words of a side are.
template <typename Word>
struct LinkLookWords {
  Word *stream_closed, *head, *tail, *returned;
};
inline LinkLookWords<SharedU64> LookWords(LinkSideWords* side, bool coherent) {
  LinkLookLine& line = side->look;
  if (!coherent) return {&line.stream_closed, &line.head, &line.tail, &line.returned};
  return {&side->state.stream_closed, &side->tx.head, &side->rx.tail, &side->returns.returned};
}
// Of the peer; `line` is its line, or a mirror of that.
inline LinkLookWords<const SharedU64> LookWords(const LinkSideWords* side, const LinkLookLine* line,
                                                bool coherent) {
  if (!coherent) return {&line->stream_closed, &line->head, &line->tail, &line->returned};
  return {&side->state.stream_closed, &side->tx.head, &side->rx.tail, &side->returns.returned};
}

// The sizes of an arena's parts, as the handshake agrees them.
struct LinkSizes {
  size_t ring_bytes = 0;     // of each ring: a power of two from 4 KiB to 1 GiB
  size_t payload_bytes = 0;  // of each side's payload: IsAreaSize()
  size_t call_bytes = 0;     // of the call area
  // Pages of the client's payload that it may lend from the beginning on; if fewer than all, it
  // asks for the others.
  size_t granted_pages = kMaxAreaBytes / kPageBytes;
};

// Where the call area begins; the sizes must be legal.
constexpr size_t CallAreaAt(const LinkSizes& sizes) {
  return kLinkControlBytes + 2 * sizes.ring_bytes + 2 * ReturnBytes(sizes.payload_bytes);
}

// Bytes an arena needs for them.
constexpr size_t ArenaBytes(const LinkSizes& sizes) {
  return CallAreaAt(sizes) + sizes.call_bytes + 2 * sizes.payload_bytes;
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_LINK_LINK_LAYOUT_H_
