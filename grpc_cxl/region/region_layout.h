#ifndef GRPC_CXL_REGION_REGION_LAYOUT_H_
#define GRPC_CXL_REGION_REGION_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "grpc_cxl/base/shared_word.h"

// A region: one file or device that several hosts map, and all that they share. Specified in
// docs/protocol.md, section 12.
//
//   0         +---------------------------+
//             | RegionHeader              |  whoever formats it, once
//   4 KiB     +---------------------------+
//             | HostControl of host 0     |  processes of host 0 only
//             +---------------------------+  + sizeof(HostControl)
//             | HostControl of host 1     |  processes of host 1 only
//             +---------------------------+
//             | ...                       |
//   aligned   +---------------------------+
//   to the    | memory of host 0          |  arenas that servers of host 0 share with their
//   granule   +---------------------------+  clients, wherever these are
//             | memory of host 1          |
//             +---------------------------+
//             | ...                       |
//             +---------------------------+
//
// Nobody writes into another host's control, so there is never a read-modify-write between
// hosts, nor a line with writers on two of them. The processes of one host take turns by a lock
// of their kernel (HostLock): it makes table entries and moves the counters. An entry in use is
// written by the process that owns it, and by others only when that process is dead.
//
// How client c (on host C) and server s (on host S) meet:
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
//   7. memory unmapped: RequestEntry.id := 0
//                                          8. memory unmapped, and the request gone or its
//                                             process dead: AnswerEntry.id := 0; the memory
//                                             is free
//
// An entry is in use when its first word, an id, is not zero; that word is stored last when it
// is made and first when it ends. A process may die between any two stores:
//
//   * before an id is stored: nothing has happened
//   * c between 2 and 7: its beat stands still. s closes, and waits for 8 longer than a lease
//     (see PeerLease). On its own host the next process clears the request away
//   * s between 1 and 8: its beat stands still. c closes. The next process of S sees by the
//     kernel's lock that s is dead, closes its answers, frees its names, and does 8 for it
//   * whoever clears away, in the middle: the dead process's entry is freed last, so that the
//     next process does it again
//
// Ids are never zero and do not come again until the region is formatted anew.
//
// Everybody who maps a region can read and write all of it. What is read is checked, so that
// nonsense ends in a status; but a hostile host can read all messages and forge them.
namespace grpc_cxl::internal {

inline constexpr uint64_t kRegionMagic = 0x6e6f696765725f6c;  // "l_region"
inline constexpr size_t kRegionHeaderBytes = 4096;
inline constexpr uint32_t kMaxRegionHosts = 256;

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
  SharedU64 granule_bytes;  // of memory: a power of two from 4 KiB to 1 GiB
  SharedU64 lease_ms;       // who does not renew for so long is dead: 100 to 600000
};
static_assert(sizeof(RegionHeader) == 128);
static_assert(offsetof(RegionHeader, layout_version) == 0);
static_assert(offsetof(RegionHeader, hosts) == 4);
static_assert(offsetof(RegionHeader, magic) == 8);
static_assert(offsetof(RegionHeader, region_bytes) == 16);
static_assert(offsetof(RegionHeader, granule_bytes) == 24);
static_assert(offsetof(RegionHeader, lease_ms) == 32);

// Each stands in a line of its own, since others poll the counters. Written with the host's
// lock held.
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
  SharedU64 beat;         // moves on every kBeatInterval for as long as the process lives
  SharedU32 pid;          // as its own pid namespace numbers it; for people
  SharedU32 uid;          // likewise
};
static_assert(sizeof(ProcessEntry) == 128);
static_assert(offsetof(ProcessEntry, incarnation) == 0);
static_assert(offsetof(ProcessEntry, beat) == 8);
static_assert(offsetof(ProcessEntry, pid) == 16);
static_assert(offsetof(ProcessEntry, uid) == 20);

// Names a process: which entry of its host, and which of those that used it.
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
};
static_assert(sizeof(NameEntry) == 128);
static_assert(offsetof(NameEntry, id) == 0);
static_assert(offsetof(NameEntry, owner) == 8);
static_assert(offsetof(NameEntry, text) == 24);

enum class RequestState : uint32_t {
  kOpen = 1,    // asks, or is connected
  kClosed = 2,  // writes nothing more; may still read the memory
};

struct alignas(kWriterAlignment) RequestEntry {
  SharedU64 id;
  SharedU32 state;  // a RequestState
  SharedU32 features;
  ProcessWords owner;
  SharedU32 to_host;
  SharedU32 to_name;  // the index of a NameEntry of that host
  SharedU64 to_name_id;
};
static_assert(sizeof(RequestEntry) == 128);
static_assert(offsetof(RequestEntry, id) == 0);
static_assert(offsetof(RequestEntry, state) == 8);
static_assert(offsetof(RequestEntry, features) == 12);
static_assert(offsetof(RequestEntry, owner) == 16);
static_assert(offsetof(RequestEntry, to_host) == 32);
static_assert(offsetof(RequestEntry, to_name) == 36);
static_assert(offsetof(RequestEntry, to_name_id) == 40);

enum class AnswerState : uint32_t {
  kReserved = 1,  // the memory is being zeroed; the client has not heard of it
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
  SharedU32 to_request;     // the index of a RequestEntry of that host
  SharedU64 to_request_id;  // with the two before: which request this answers
  SharedU64 offset;         // of the memory: in the region, within the host's own; granules
  SharedU64 bytes;          // of it: granules. 0: none
  SharedU64 ring_bytes;     // as in the handshake over a socket
  SharedU64 payload_bytes;
  SharedU32 call_buffer_bytes;
  SharedU32 features;
  SharedU32 coherence;  // a Coherence: how both sides treat the memory
  SharedU32 reserved;
  SharedU64 reason[kReasonWords];  // for people; zero-filled
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

struct alignas(4096) HostControl {
  HostWords words;
  alignas(4096) ProcessEntry processes[kHostProcesses];
  NameEntry names[kHostNames];
  RequestEntry requests[kHostRequests];
  AnswerEntry answers[kHostAnswers];
};
static_assert(sizeof(HostControl) == 159744);
static_assert(offsetof(HostControl, processes) == 4096);
static_assert(offsetof(HostControl, names) == 12288);
static_assert(offsetof(HostControl, requests) == 28672);
static_assert(offsetof(HostControl, answers) == 61440);

// Where the control of `host` begins.
constexpr uint64_t ControlOffset(uint32_t host) {
  return kRegionHeaderBytes + uint64_t{host} * sizeof(HostControl);
}

// Where memory begins.
constexpr uint64_t MemoryBegin(uint32_t hosts, uint64_t granule) {
  return (ControlOffset(hosts) + granule - 1) / granule * granule;
}

// How much each host has; 0 when the region is too small for any.
constexpr uint64_t MemoryPerHost(uint64_t region_bytes, uint32_t hosts, uint64_t granule) {
  const uint64_t begin = MemoryBegin(hosts, granule);
  return region_bytes <= begin ? 0 : (region_bytes - begin) / hosts / granule * granule;
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_REGION_REGION_LAYOUT_H_
