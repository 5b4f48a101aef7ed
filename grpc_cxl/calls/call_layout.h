// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_CALLS_CALL_LAYOUT_H_
#define GRPC_CXL_CALLS_CALL_LAYOUT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "grpc_cxl/base/shared_word.h"
#include "grpc_cxl/blocks/block_layout.h"
#include "grpc_cxl/priority_level.h"

// The area of an arena through which unary calls pass without HTTP/2 (docs/protocol.md,
// section 8). It has 64 slots; a slot carries one call at a time.
//
//   +---------------------------+ 0
//   | CallClientWords           |  client only
//   +---------------------------+ 4 KiB
//   | CallServerWords           |  server only
//   +---------------------------+ 8 KiB
//   | CallClientSlot[64]        |  client only
//   +---------------------------+ 16 KiB
//   | CallServerSlot[64]        |  server only
//   +---------------------------+ 24 KiB
//   | request buffers, 64       |  client only, buffer_bytes each
//   +---------------------------+
//   | response buffers, 64      |  server only, buffer_bytes each
//   +---------------------------+
//
// An arena has one area, or several, one behind the other, of which the client opens the next as it
// needs it (ClientCallAreas). They know nothing of each other, but for `more_areas` in the first.
//
// A call, step by step (c: client, s: server; "flip" toggles the slot's bit in a bitmap, which
// tells the other side that the slot has something new):
//
//   c  fills the request buffer and its slot, flips `posted`, wakes s
//   s  stores state kTaken: from here on the call may have run
//   s  fills the response buffer, stores kDone; tells the client as `waiter` says
//   c  reads the response; the slot is free
//
//   s  has more than fits: kPart instead of kDone; c reads the part and flips `acked`
//   c  gives up: stores the generation in `cancelled_generation`, flips `cancelled`; kDone follows
//   s  does not take the call: kRefused; it has not run and will not
//   s  has no room for it yet (`capacity`): takes it later, or refuses it when c gives up
//
// Waking. `awake` counts the client's threads that look at slots. While it is not 0, the server
// leaves waking, which costs several microseconds, to those threads:
//
//     server                                    client's thread that stops looking
//     1. word := kDone or kPart                 a. awake := awake - 1
//     2. full fence                             b. full fence
//     3. waiter kParked and awake 0? store      c. parked slots whose word has changed? wake
//        the time in woke_at, wake
//
// Whichever fence comes first, 3 sees a or c sees 1. A thread parks between its a and its c: it is
// seen by another thread's c, or looks for itself.
//
// At most once. When the connection ends, or the call is to be made elsewhere, the client takes a
// posted call back, then looks; the server takes a call, then looks:
//
//     client                                    server
//     1. cancelled_generation := generation     a. word := kTaken
//     2. full fence                             b. full fence
//     3. word kTaken? then it may have run      c. cancelled_generation = generation? then
//                                                  kRefused, and it does not run
//
// Whichever fence comes first, 3 sees a or c sees 1 (or both: then neither runs it). While the
// connection goes on, the client then flips `cancelled`, and the slot is in use until kRefused.
//
// Memory. Where pages are reserved on use, either side reserves its half of a slot before the
// slot's first call. At rest the client gives its request buffers back and stores `calls_read`; the
// server gives its response buffers back if that is the number of calls that it has seen.
namespace grpc_cxl::internal {

inline constexpr size_t kCallSlots = 64;

enum class CallState : uint32_t {
  kIdle = 0,     // of a generation that was never taken
  kTaken = 1,    // the server has it
  kPart = 2,     // some of the response is in the buffer
  kDone = 3,     // the rest of the response is in the buffer
  kRefused = 4,  // not taken, not run
};

// How the client waits for a slot (section 8.6).
enum class CallWaiter : uint32_t {
  kLooking = 0,  // a thread looks at the slot's word by itself
  kParked = 1,   // a thread sleeps on the slot's word: FutexWake() it, unless `awake`
  kPolled = 2,   // no thread waits: bump `news` and wake the client
  // The response is not wanted: as kPolled, but it is left out, and the client is woken only when
  // none of its calls runs any more.
  kUnwanted = 3,
};

// What the other side looks at all the time. Where caches do not see each other, that of the first
// area, the only one there, lies in the side's look line (link/link_layout.h), and this place in
// the area stays 0.
struct CallClientLook {
  SharedU64 posted;     // bitmap: a request is in the slot
  SharedU64 cancelled;  // bitmap: the client has given the call up
  SharedU64 acked;      // bitmap: the part was read
  SharedU64 ping;       // liveness pings sent
};
static_assert(sizeof(CallClientLook) == 32);
static_assert(offsetof(CallClientLook, cancelled) == 8);
static_assert(offsetof(CallClientLook, acked) == 16);
static_assert(offsetof(CallClientLook, ping) == 24);

struct CallServerLook {
  SharedU64 news;          // counts changes of polled slots
  SharedU64 cancels_seen;  // bitmap: the value of `cancelled` that was acted upon
  SharedU64 accepting;     // 1: calls are taken; else: not now, use the stream path
  SharedU64 pong;          // the `ping` that was seen last
};
static_assert(sizeof(CallServerLook) == 32);
static_assert(offsetof(CallServerLook, cancels_seen) == 8);
static_assert(offsetof(CallServerLook, accepting) == 16);
static_assert(offsetof(CallServerLook, pong) == 24);

// Where they are, as a side sees it; null: in the area.
struct CallClientPlaces {
  CallClientLook* mine = nullptr;
  const CallServerLook* peer = nullptr;
};
struct CallServerPlaces {
  CallServerLook* mine = nullptr;
  const CallClientLook* peer = nullptr;
};

struct alignas(kWriterAlignment) CallClientWords {
  CallClientLook look;
  // Calls posted so far; stored at rest, when all of them are over and their responses read.
  SharedU64 calls_read;
  SharedU32 more_areas;  // in the first area: how many others the client uses
  // On a line of its own: it changes with every call, while the server watches the others.
  alignas(kWriterAlignment) SharedU32 awake;  // threads that look at slots by themselves
};
static_assert(sizeof(CallClientWords) == 256);
static_assert(offsetof(CallClientWords, awake) == 128);
static_assert(offsetof(CallClientWords, look) == 0);
static_assert(offsetof(CallClientWords, calls_read) == 32);
static_assert(offsetof(CallClientWords, more_areas) == 40);

struct alignas(kWriterAlignment) CallServerWords {
  CallServerLook look;
  SharedU64 load;      // in the first area, of a replica: see MakeLoadWord()
  SharedU32 capacity;  // in the first area: direct calls that the server runs at a time; 0: any
};
static_assert(sizeof(CallServerWords) == 128);
static_assert(offsetof(CallServerWords, look) == 0);
static_assert(offsetof(CallServerWords, load) == 32);
static_assert(offsetof(CallServerWords, capacity) == 40);

struct alignas(kWriterAlignment) CallClientSlot {
  SharedU32 generation;            // counts the calls of this slot, from 1
  SharedU32 request_bytes;         // in the request buffer
  SharedU32 waiter;                // a CallWaiter
  SharedU32 cancelled_generation;  // the call that `cancelled` means
  SharedU32 priority;              // a Priority; a hint (section 8.12)
  SharedU32 number;                // of the connection's calls: the order in which they wait
};
static_assert(sizeof(CallClientSlot) == 128);
static_assert(offsetof(CallClientSlot, request_bytes) == 4);
static_assert(offsetof(CallClientSlot, waiter) == 8);
static_assert(offsetof(CallClientSlot, cancelled_generation) == 12);
static_assert(offsetof(CallClientSlot, priority) == 16);
static_assert(offsetof(CallClientSlot, number) == 20);

// What a client has stored as such, which may be anything.
constexpr Priority PriorityOfSlot(uint32_t stored) {
  return stored <= static_cast<uint32_t>(Priority::kBulk) ? static_cast<Priority>(stored)
                                                          : Priority::kDefault;
}

struct alignas(kWriterAlignment) CallServerSlot {
  SharedU32 word;        // see MakeCallWord()
  SharedU32 part_bytes;  // in the response buffer, with kPart and kDone
  SharedU64 woke_at;     // when the server last woke the slot's thread; as in DoorbellWords
};
static_assert(sizeof(CallServerSlot) == 128);
static_assert(offsetof(CallServerSlot, part_bytes) == 4);
static_assert(offsetof(CallServerSlot, woke_at) == 8);

// generation, 16 bits | parts of the response before this one, 13 bits | state, 3 bits. Every
// step of a call thus has a word of its own.
constexpr uint32_t MakeCallWord(uint32_t generation, uint32_t part, CallState state) {
  return generation << 16 | (part & 0x1fff) << 3 | static_cast<uint32_t>(state);
}
constexpr CallState CallStateOf(uint32_t word) { return static_cast<CallState>(word & 7); }
constexpr bool IsOfCall(uint32_t word, uint32_t generation) {
  return word >> 16 == (generation & 0xffff);
}

// How many calls a replica has under way on all of its connections, and when it said so, by
// CLOCK_MONOTONIC (section 8.11).
//
//   time, 32 bits, in units of 2^20 ns (1.05 ms) | calls, 32 bits
constexpr uint64_t MakeLoadWord(uint32_t calls, int64_t now_ns) {
  return static_cast<uint64_t>(static_cast<uint32_t>(now_ns >> 20)) << 32 | calls;
}
// 0 for a word that is too old, or from the future: nobody tells a client that has no calls there.
constexpr uint32_t LoadIn(uint64_t word, int64_t now_ns) {
  constexpr uint32_t kLasts = 100;
  const uint32_t age = static_cast<uint32_t>(now_ns >> 20) - static_cast<uint32_t>(word >> 32);
  return age <= kLasts ? static_cast<uint32_t>(word) : 0;
}

inline constexpr size_t kCallServerWordsAt = kPageBytes;
inline constexpr size_t kCallClientSlotsAt = 2 * kPageBytes;
inline constexpr size_t kCallServerSlotsAt =
    kCallClientSlotsAt + kCallSlots * sizeof(CallClientSlot);
inline constexpr size_t kCallBuffersAt = kCallServerSlotsAt + kCallSlots * sizeof(CallServerSlot);
static_assert(kCallServerSlotsAt % kPageBytes == 0 && kCallBuffersAt % kPageBytes == 0);

// Whether buffers may have this size: a multiple of 4 KiB up to 1 MiB.
constexpr bool IsCallBufferSize(size_t bytes) {
  return bytes > 0 && bytes <= (1 << 20) && bytes % kPageBytes == 0;
}

// Bytes at the beginning that both sides read all the time.
inline constexpr size_t kCallWordsBytes = kCallClientSlotsAt;

// Bytes of the whole area.
constexpr size_t CallAreaBytes(size_t buffer_bytes) {
  return kCallBuffersAt + 2 * kCallSlots * buffer_bytes;
}

// Most areas of an arena, and how many one with buffers of this size has where both sides know more
// than one: as many as have 8 MiB of buffers.
inline constexpr size_t kMostCallAreas = 8;
constexpr size_t CallAreas(size_t buffer_bytes) {
  return std::clamp((size_t{8} << 20) / (2 * kCallSlots * buffer_bytes), size_t{1}, kMostCallAreas);
}

// At the start of a request buffer (section 8.4); then the method, the metadata, the message.
struct RequestHead {
  uint64_t timeout_ns;  // until the deadline; UINT64_MAX: none
  uint32_t method_bytes;
  uint32_t metadata_bytes;
  uint32_t metadata_count;
  uint32_t message_bytes;  // behind the metadata
  BlockDescriptor block;   // bytes not 0: the message is there instead
};
static_assert(sizeof(RequestHead) == 32);

// At the start of a response (section 8.5); then status message, details, both metadata, the
// message.
struct ResponseHead {
  uint32_t code;  // a grpc::StatusCode
  uint32_t status_message_bytes;
  uint32_t status_details_bytes;
  uint32_t initial_metadata_bytes;
  uint32_t initial_metadata_count;
  uint32_t trailing_metadata_bytes;
  uint32_t trailing_metadata_count;
  uint32_t has_message;
  uint64_t message_bytes;  // behind the metadata
  BlockDescriptor block;   // bytes not 0: the message is there instead
};
static_assert(sizeof(ResponseHead) == 48);

// Before each metadata entry; then the key and the value.
struct MetadataHead {
  uint32_t key_bytes;
  uint32_t value_bytes;
};
static_assert(sizeof(MetadataHead) == 8);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_CALLS_CALL_LAYOUT_H_
