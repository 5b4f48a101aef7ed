// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_REGION_REGION_LAYOUT_H_
#define GRPC_CXL_REGION_REGION_LAYOUT_H_

#include <bit>
#include <cstddef>
#include <cstdint>

#include "grpc_cxl/base/shared_word.h"

// A region: one file or device that several hosts map, and all that they share. Specified in
// docs/protocol.md, section 12.
//
//   0         +---------------------------+
//             | RegionHeader              |  written once, by FormatRegion()
//   4 KiB     +---------------------------+
//             | HostControl of host 0     |  written by processes of host 0 only
//             +---------------------------+  + sizeof(HostControl)
//             | HostControl of host 1     |  written by processes of host 1 only
//             +---------------------------+
//             | ...                       |
//   aligned   +---------------------------+
//   to the    | memory of host 0          |  arenas that servers of host 0 share with their
//   granule   +---------------------------+  clients on all hosts
//             | memory of host 1          |
//             +---------------------------+
//             | ...                       |
//             +---------------------------+
//
// Header and controls are the region's directory. No host writes into another host's control, so
// hosts never need a read-modify-write, and no line has writers on two hosts. The processes of one
// host take turns by a lock of their kernel (HostLock) when they make entries and move counters.
// An entry in use is written by its owner, and by other processes of the host only when the owner
// is dead.
//
// How client c (on host C) and server s (on host S) connect:
//
//   in C's control                         in S's control
//                                          1. NameEntry: s serves "payments"
//   2. RequestEntry: c asks for it
//      requests_made + 1
//                                          3. AnswerEntry kReserved: memory for it; zeroed
//                                          4. state := kOffered (or kRefused, no memory)
//                                             answers_made + 1
//   5. maps the memory; both sides are connected
//   6. either side: state := kClosed       6. either side: state := kClosed
//   7. memory unmapped and flushed:
//      RequestEntry.id := 0
//                                          8. memory unmapped and flushed, and the request gone
//                                             or its process dead: AnswerEntry.id := 0; the
//                                             memory is free
//
// An entry is in use when its first word, an id, is not zero; that word is stored last when the
// entry is made and first when it ends. A process may die between any two stores:
//
//   * before an id is stored: nothing has happened
//   * c between 2 and 7: its beat stands still. s closes after a lease, and does 8 when the
//     request is gone. The other processes of C, or the next, flush what it left in their caches
//     and clear the request away
//   * s between 1 and 8: its beat stands still. c closes. The next process of S sees by the
//     kernel's lock that s is dead, closes its answers, frees its names, and does 8 for it
//   * a process that clears up, in the middle: it frees the dead process's entry last, so that
//     the next process clears up again
//
// Ids are never zero and do not come again until the region is formatted anew. So the id of an
// answer is the epoch of its memory: this is both sides' while the answer has that id and state
// kOffered, and the request its id and state kOpen. To take the memory back, a side first ends
// that (6), then waits until the other has acknowledged it (7), however long: a process that is
// only stopped, or the machine of which sleeps or is paused, may write at any time. After such a
// gap it looks at the two entries before it writes on (RegionFence).
//
// An entry whose sum is wrong is damaged, and nobody believes it. Its owner mends it (OwnEntries);
// where that is dead, the host gives out no memory until the first of its next processes has
// cleared it away.
//
// Every process that maps a region can read and write all of it. Each word is checked after it is
// read, so nonsense ends in a status; but a hostile host can read all messages and forge them.
namespace grpc_cxl::internal {

inline constexpr uint64_t kRegionMagic = 0x6e6f696765725f6c;  // "l_region"
inline constexpr size_t kRegionHeaderBytes = kPageBytes;
inline constexpr uint32_t kMaxRegionHosts = 256;
inline constexpr uint64_t kMaxGranule = uint64_t{1} << 30;
inline constexpr uint64_t kMinLeaseMs = 100;
inline constexpr uint64_t kMaxLeaseMs = 600'000;

inline constexpr uint32_t kHostProcesses = 64;  // of one host at a time, and so on
inline constexpr uint32_t kHostNames = 128;
inline constexpr uint32_t kHostRequests = 256;  // connections of its clients
inline constexpr uint32_t kHostAnswers = 256;   // connections of its servers
inline constexpr size_t kNameWords = 10;        // ServiceName::kMaxLength
inline constexpr size_t kReasonWords = 32;

struct alignas(kWriterAlignment) RegionHeader {
  SharedU32 layout_version;  // stored last: until then the region is not valid
  SharedU32 hosts;           // 1 to kMaxRegionHosts
  SharedU64 magic;
  SharedU64 region_bytes;
  SharedU64 granule_bytes;  // of memory: see IsGranule()
  SharedU64 lease_ms;       // a process without a beat for so long is dead
};
static_assert(sizeof(RegionHeader) == 128);
static_assert(offsetof(RegionHeader, layout_version) == 0);
static_assert(offsetof(RegionHeader, hosts) == 4);
static_assert(offsetof(RegionHeader, magic) == 8);
static_assert(offsetof(RegionHeader, region_bytes) == 16);
static_assert(offsetof(RegionHeader, granule_bytes) == 24);
static_assert(offsetof(RegionHeader, lease_ms) == 32);  // all in one line

// Written with the host's lock held. Each counter has a line of its own, since all hosts poll it.
struct HostWords {
  alignas(kWriterAlignment) SharedU64 opened;  // how often a process has joined; 0: unused
  SharedU64 boot_id[2];                        // of the kernel that the host runs
  SharedU64 next_id;                           // for incarnations and all other ids
  alignas(kWriterAlignment) SharedU64 requests_made;
  alignas(kWriterAlignment) SharedU64 answers_made;
};
static_assert(sizeof(HostWords) == 384);
static_assert(offsetof(HostWords, opened) == 0);
static_assert(offsetof(HostWords, boot_id) == 8);
static_assert(offsetof(HostWords, next_id) == 24);
static_assert(offsetof(HostWords, requests_made) == 128);
static_assert(offsetof(HostWords, answers_made) == 256);

struct alignas(kWriterAlignment) ProcessEntry {
  SharedU64 incarnation;  // its id
  SharedU64 beat;         // moves on for as long as the process lives (RegionBeat)
  SharedU32 pid;          // as its own pid namespace numbers it; for people
  SharedU32 uid;          // likewise
  SharedU64 nonce;        // random, of the process: tells clones of a machine apart
  SharedU64 node[2];      // st_dev and st_ino of the file that it holds its lock on
  SharedU64 sum;          // of the other words but `beat`, and so on (EntrySum)
};
static_assert(sizeof(ProcessEntry) == 128);
static_assert(offsetof(ProcessEntry, nonce) == 24);
static_assert(offsetof(ProcessEntry, node) == 32);
static_assert(offsetof(ProcessEntry, sum) == 48);  // all in one line
static_assert(offsetof(ProcessEntry, incarnation) == 0);
static_assert(offsetof(ProcessEntry, beat) == 8);
static_assert(offsetof(ProcessEntry, pid) == 16);
static_assert(offsetof(ProcessEntry, uid) == 20);

// Names a process: its entry, and which of the processes that used this entry.
struct ProcessWords {
  SharedU64 incarnation;
  SharedU32 index;
  SharedU32 reserved;
};
static_assert(sizeof(ProcessWords) == 16);
static_assert(offsetof(ProcessWords, incarnation) == 0);
static_assert(offsetof(ProcessWords, index) == 8);

struct alignas(kWriterAlignment) NameEntry {
  SharedU64 id;
  ProcessWords owner;
  SharedU64 text[kNameWords];  // zero-filled
  SharedU64 sum;
};
static_assert(sizeof(NameEntry) == 128);
static_assert(offsetof(NameEntry, id) == 0);
static_assert(offsetof(NameEntry, owner) == 8);
static_assert(offsetof(NameEntry, text) == 24);
static_assert(offsetof(NameEntry, sum) == 104);

enum class RequestState : uint32_t {
  kOpen = 1,    // the client asks, or is connected
  kClosed = 2,  // the client writes nothing more; it may still read the memory
};

struct alignas(kWriterAlignment) RequestEntry {
  SharedU64 id;
  SharedU32 state;  // a RequestState
  SharedU32 features;
  ProcessWords owner;
  SharedU32 to_host;
  SharedU32 to_name;  // the index of a NameEntry of that host
  SharedU64 to_name_id;
  SharedU64 sum;  // without `state`
};
static_assert(sizeof(RequestEntry) == 128);
static_assert(offsetof(RequestEntry, id) == 0);
static_assert(offsetof(RequestEntry, state) == 8);
static_assert(offsetof(RequestEntry, features) == 12);
static_assert(offsetof(RequestEntry, owner) == 16);
static_assert(offsetof(RequestEntry, to_host) == 32);
static_assert(offsetof(RequestEntry, to_name) == 36);
static_assert(offsetof(RequestEntry, to_name_id) == 40);
static_assert(offsetof(RequestEntry, sum) == 48);

enum class AnswerState : uint32_t {
  kReserved = 1,  // the memory is being zeroed; the client ignores the answer
  kOffered = 2,
  kRefused = 3,  // no memory; `reason` says why
  kClosed = 4,   // the server writes nothing more; the client may still read the memory
};

struct alignas(kWriterAlignment) AnswerEntry {
  SharedU64 id;
  SharedU32 state;    // an AnswerState
  SharedU32 refusal;  // a Refusal
  ProcessWords owner;
  SharedU32 to_host;
  SharedU32 to_request;  // the index of a RequestEntry of that host
  SharedU64 to_request_id;
  SharedU64 offset;  // of the memory, in the region: a multiple of the granule, in the host's own
  SharedU64 bytes;   // of the memory: a multiple of the granule. 0: none
  SharedU64 ring_bytes;  // as in the handshake over a socket
  SharedU64 payload_bytes;
  SharedU32 call_buffer_bytes;
  SharedU32 features;
  SharedU32 coherence;  // a Coherence: how both sides treat the memory
  SharedU32 reserved;
  SharedU64 reason[kReasonWords];  // for people; zero-filled
  SharedU64 sum;                   // without `state`
};
static_assert(sizeof(AnswerEntry) == 384);
static_assert(offsetof(AnswerEntry, id) == 0);
static_assert(offsetof(AnswerEntry, state) == 8);
static_assert(offsetof(AnswerEntry, refusal) == 12);
static_assert(offsetof(AnswerEntry, owner) == 16);
static_assert(offsetof(AnswerEntry, to_host) == 32);
static_assert(offsetof(AnswerEntry, to_request) == 36);
static_assert(offsetof(AnswerEntry, to_request_id) == 40);
static_assert(offsetof(AnswerEntry, offset) == 48);
static_assert(offsetof(AnswerEntry, bytes) == 56);
static_assert(offsetof(AnswerEntry, ring_bytes) == 64);
static_assert(offsetof(AnswerEntry, payload_bytes) == 72);
static_assert(offsetof(AnswerEntry, call_buffer_bytes) == 80);
static_assert(offsetof(AnswerEntry, features) == 84);
static_assert(offsetof(AnswerEntry, coherence) == 88);
static_assert(offsetof(AnswerEntry, reason) == 96);
static_assert(offsetof(AnswerEntry, sum) == 352);

struct alignas(kPageBytes) HostControl {
  HostWords words;
  alignas(kPageBytes) ProcessEntry processes[kHostProcesses];
  NameEntry names[kHostNames];
  RequestEntry requests[kHostRequests];
  AnswerEntry answers[kHostAnswers];
};
static_assert(sizeof(HostControl) == 159744);
static_assert(offsetof(HostControl, processes) == 4096);
static_assert(offsetof(HostControl, names) == 12288);
static_assert(offsetof(HostControl, requests) == 28672);
static_assert(offsetof(HostControl, answers) == 61440);

// Whether memory can be divided into granules of this size.
constexpr bool IsGranule(uint64_t bytes) {
  return std::has_single_bit(bytes) && bytes >= kPageBytes && bytes <= kMaxGranule;
}

constexpr uint64_t RoundUp(uint64_t bytes, uint64_t granule) {
  return (bytes + granule - 1) / granule * granule;
}

// Where the control of `host` begins.
constexpr uint64_t ControlOffset(uint32_t host) {
  return kRegionHeaderBytes + uint64_t{host} * sizeof(HostControl);
}

// Where memory begins.
constexpr uint64_t MemoryBegin(uint32_t hosts, uint64_t granule) {
  return RoundUp(ControlOffset(hosts), granule);
}

// How much memory each host has; 0 when the region is too small for any.
constexpr uint64_t MemoryPerHost(uint64_t region_bytes, uint32_t hosts, uint64_t granule) {
  const uint64_t begin = MemoryBegin(hosts, granule);
  return region_bytes <= begin ? 0 : (region_bytes - begin) / hosts / granule * granule;
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_REGION_LAYOUT_H_
