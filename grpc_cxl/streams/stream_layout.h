// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_STREAMS_STREAM_LAYOUT_H_
#define GRPC_CXL_STREAMS_STREAM_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "grpc_cxl/base/shared_word.h"
#include "grpc_cxl/priority_level.h"
#include "grpc_cxl/ring/ring_layout.h"

// The area of an arena through which streaming calls pass without HTTP/2 (docs/protocol.md, section
// 8.14). It has 16 slots; a slot carries one stream at a time, in a ring each way.
//
//   +---------------------------+ 0
//   | StreamClientSlot[16]      |  client only
//   +---------------------------+ 8 KiB
//   | StreamServerSlot[16]      |  server only
//   +---------------------------+ 16 KiB
//   | rings to the server, 16   |  client only, 64 KiB each
//   +---------------------------+
//   | rings to the client, 16   |  server only, 64 KiB each
//   +---------------------------+
//
// The words that tell of news in the slots lie in the first call area, 2 KiB behind each side's
// words there: a connection without streams touches nothing of this area.
//
// A stream, step by step (c: client, s: server):
//
//   c  writes a kHead record, stores a new generation, tells s
//   s  stores kTaken: from here on the call may have run; or kRefused: it has not and will not. It
//   may leave the slot as it is before that, while it has no room for the stream
//   c, s  write kMessage and kBlock records; s writes kHead (initial metadata) before its first
//   c  kEnd: it sends no more (half-close)
//   s  kEnd: the status. When that is in the ring: kEnded
//   c  has read that, or was refused: `closed` := generation. It writes no more, maybe amid a
//   record s  has read all there is: kIdle. The slot is free, and both rings are empty
//
//   c  gives up: `cancelled` := generation; kEnd of s follows
//
// Each side tells the other of everything new in a slot (records, words, and space that is asked
// for in `want_space`) by adding 1 to the slot's count, then to `total`, on which the other's
// polling thread looks. The server leaves `total` alone, and wakes nobody, while the client's
// `waiter` says that no one waits there, or a thread that looks by itself:
//
//     server                                   client
//     1. of_slot + 1                           a. waiter := kParked or kPolled
//     2. full fence                            b. full fence
//     3. waiter? wake                          c. looks once more; sleeps while of_slot is that
//
// Whichever fence comes first, 3 sees a or c sees 1.
//
// At most once: as in calls/call_layout.h, with `cancelled` for cancelled_generation.
namespace grpc_cxl::internal {

inline constexpr size_t kStreamSlots = 16;
inline constexpr size_t kStreamRingBytes = 64 << 10;

enum class StreamState : uint32_t {
  kNone = 0,     // of a generation that the server has not seen
  kTaken = 1,    // the server has it
  kEnded = 2,    // the status is in the ring
  kIdle = 3,     // over for both sides
  kRefused = 4,  // not taken, not run
};

// How the client waits for news of a slot; bits.
inline constexpr uint32_t kStreamParked = 1;  // threads sleep on `of_slot`: FutexWake() them
inline constexpr uint32_t kStreamPolled = 2;  // the polling thread is to be woken

struct alignas(kWriterAlignment) StreamNewsWords {
  SharedU64 total;
  SharedU32 granted;  // server: slots that the client may use; 0: none now
  SharedU32 of_slot[kStreamSlots];
};
static_assert(sizeof(StreamNewsWords) == 128);
static_assert(offsetof(StreamNewsWords, granted) == 8);
static_assert(offsetof(StreamNewsWords, of_slot) == 12);

struct alignas(kWriterAlignment) StreamClientSlot {
  RingWriterWords tx;
  RingReaderWords rx;
  alignas(kWriterAlignment) SharedU32 generation;  // counts the streams of this slot, from 1
  SharedU32 cancelled;                             // the generation that was given up
  SharedU32 closed;                                // the generation that is over for the client
  SharedU32 waiter;                                // kStreamParked, kStreamPolled
  SharedU32 priority;                              // the stream's, a Priority
};
static_assert(sizeof(StreamClientSlot) == 384);
static_assert(offsetof(StreamClientSlot, rx) == 128);
static_assert(offsetof(StreamClientSlot, generation) == 256);
static_assert(offsetof(StreamClientSlot, cancelled) == 260);
static_assert(offsetof(StreamClientSlot, closed) == 264);
static_assert(offsetof(StreamClientSlot, waiter) == 268);
static_assert(offsetof(StreamClientSlot, priority) == 272);

// What is no Priority is the default one.
constexpr Priority PriorityOfStream(uint32_t stored) {
  return stored <= static_cast<uint32_t>(Priority::kBulk) ? static_cast<Priority>(stored)
                                                          : Priority::kDefault;
}

struct alignas(kWriterAlignment) StreamServerSlot {
  RingWriterWords tx;
  RingReaderWords rx;
  alignas(kWriterAlignment) SharedU32 word;  // see MakeStreamWord()
  SharedU64 woke_at;  // when the server last woke a parked thread; as in DoorbellWords
};
static_assert(sizeof(StreamServerSlot) == 384);
static_assert(offsetof(StreamServerSlot, rx) == 128);
static_assert(offsetof(StreamServerSlot, word) == 256);
static_assert(offsetof(StreamServerSlot, woke_at) == 264);

// generation, 24 bits | state, 8 bits
constexpr uint32_t MakeStreamWord(uint32_t generation, StreamState state) {
  return generation << 8 | static_cast<uint32_t>(state);
}
constexpr StreamState StreamStateIn(uint32_t word, uint32_t generation) {
  return word >> 8 == (generation & 0xffffff) ? static_cast<StreamState>(word & 0xff)
                                              : StreamState::kNone;
}

// In the rings, one behind the other. A record may be larger than its ring.
enum class StreamRecord : uint32_t {
  kHead = 1,     // a request or a response without message (section 8.4, 8.5)
  kMessage = 2,  // the message
  kBlock = 3,    // a BlockDescriptor: the message is there
  kEnd = 4,      // of the client: nothing; of the server: a response, with the status
};
struct StreamRecordHead {
  uint32_t kind;   // a StreamRecord
  uint32_t bytes;  // behind this
};
static_assert(sizeof(StreamRecordHead) == 8);
// Most bytes of records other than messages.
inline constexpr size_t kMostStreamHeadBytes = 1 << 20;

inline constexpr size_t kStreamNewsAt = 2048;  // behind a side's words of the first call area
inline constexpr size_t kStreamServerSlotsAt = 8 << 10;
inline constexpr size_t kStreamRingsAt = 16 << 10;
inline constexpr size_t kStreamAreaBytes = kStreamRingsAt + 2 * kStreamSlots * kStreamRingBytes;
static_assert(kStreamSlots * sizeof(StreamClientSlot) <= kStreamServerSlotsAt);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_STREAMS_STREAM_LAYOUT_H_
