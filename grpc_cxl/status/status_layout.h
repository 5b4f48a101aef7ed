// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_STATUS_STATUS_LAYOUT_H_
#define GRPC_CXL_STATUS_STATUS_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "grpc_cxl/status/call_outcomes.h"
#include "grpc_cxl/status/latency_buckets.h"

// The status page of a process, a file in the rendezvous directory (docs/protocol.md, section 14):
//
//   0        +--------------------+
//            | StatusHeader       |
//   72       +--------------------+
//            | StatusProcess      |
//            +--------------------+
//            | StatusThread       |  as many as the header says, and so on:
//            +--------------------+
//            | StatusName         |
//            +--------------------+
//            | StatusNetwork      |
//            +--------------------+
//            | StatusConnection   |
//            +--------------------+
//            | StatusNetworkPeer  |
//            +--------------------+
//
// The owner writes all of it at once; readers read all of it at once, and compare the checksum.
// Everything counts from the beginning of its process, thread, name or connection. Fields are added
// at the end of a structure only; a reader takes zero for those that an older owner did not write.
// Times are nanoseconds; of a day since 1970. Texts end with a zero byte, and are cut.
namespace grpc_cxl::internal {

inline constexpr uint64_t kStatusMagic = 0x7375746174735f78;  // "x_status"
inline constexpr uint32_t kStatusVersion = 2;
inline constexpr size_t kStatusNameBytes = 96;
inline constexpr size_t kStatusReasonBytes = 224;

struct StatusSection {
  uint32_t count;
  uint32_t entry_bytes;
};

struct StatusHeader {
  uint64_t magic;
  uint32_t version;
  uint32_t checksum;  // CRC32C of everything behind the header
  uint32_t bytes;     // of the whole page
  uint32_t reserved;
  StatusSection sections[6];  // in the order of the picture
};
static_assert(sizeof(StatusHeader) == 72);
static_assert(offsetof(StatusHeader, version) == 8);
static_assert(offsetof(StatusHeader, checksum) == 12);
static_assert(offsetof(StatusHeader, bytes) == 16);
static_assert(offsetof(StatusHeader, sections) == 24);

struct StatusProcess {
  uint32_t pid;             // as its own pid namespace numbers it
  uint32_t layout_version;  // of what it shares with its peers
  uint64_t start_time;
  uint64_t written_time;
  char command[32];
  char grpc_version[32];
  // Unary calls of its channels, as in DirectCallStats.
  uint64_t direct, not_taken, no_connection, not_eligible, too_large, no_slot, excluded_channel,
      global_interceptor, no_descriptor;
  // Its channels' connections, as in ConnectionCounters.
  uint64_t memory_connections, network_connections, declined_connections;
  // Bytes, and pieces of blocks, as in PayloadCounters.
  uint64_t sent_in_place, sent_by_block, sent_by_ring, received_in_place, received_from_block,
      received_from_ring, sent_for_want_of_blocks, loans_out, loans_held;
  uint64_t takeovers, hand_overs;  // polling threads replaced; helping threads that came
  // Live ones for which the page has no entry.
  uint32_t connections_not_shown, names_not_shown, networks_not_shown, network_peers_not_shown;
  // Direct calls that came to its servers, as in ServedCallStats.
  uint64_t served, refused;
  // One-way calls, as in DirectCallStats.
  uint64_t one_way, one_way_background, one_way_failed;
  uint64_t moved_connections;  // as in ConnectionCounters
  // Streams, as in DirectCallStats and ServedCallStats.
  uint64_t direct_streams, http2_streams, served_streams;
};
static_assert(sizeof(StatusProcess) == 360);
static_assert(offsetof(StatusProcess, start_time) == 8);
static_assert(offsetof(StatusProcess, command) == 24);
static_assert(offsetof(StatusProcess, grpc_version) == 56);
static_assert(offsetof(StatusProcess, direct) == 88);
static_assert(offsetof(StatusProcess, memory_connections) == 160);
static_assert(offsetof(StatusProcess, sent_in_place) == 184);
static_assert(offsetof(StatusProcess, takeovers) == 256);
static_assert(offsetof(StatusProcess, connections_not_shown) == 272);
static_assert(offsetof(StatusProcess, served) == 288);
static_assert(offsetof(StatusProcess, one_way) == 304);
static_assert(offsetof(StatusProcess, moved_connections) == 328);
static_assert(offsetof(StatusProcess, direct_streams) == 336);

// A polling thread.
struct StatusThread {
  uint32_t wait_policy;  // 0: none yet; 1 + WaitPolicy, of the first connection
  uint32_t reserved;
  uint64_t wake_up;  // what a wake-up takes, as it has learned; 0: not known
  uint64_t spin;     // how long it spins now before it sleeps
  uint64_t waits;    // waits for work that are over
  uint64_t sleeps;   // of those, in which it slept
};
static_assert(sizeof(StatusThread) == 40);
static_assert(offsetof(StatusThread, wake_up) == 8);
static_assert(offsetof(StatusThread, spin) == 16);
static_assert(offsetof(StatusThread, waits) == 24);
static_assert(offsetof(StatusThread, sleeps) == 32);

// A name or address that the process serves.
struct StatusName {
  char name[kStatusNameBytes];
  char rollout[16];
  uint32_t direct_calls;  // 1: it may offer them
  uint32_t reserved;
  uint64_t accepted;  // connections
  uint64_t refused;
  char last_refusal[kStatusReasonBytes];
};
static_assert(sizeof(StatusName) == 360);
static_assert(offsetof(StatusName, rollout) == 96);
static_assert(offsetof(StatusName, direct_calls) == 112);
static_assert(offsetof(StatusName, accepted) == 120);
static_assert(offsetof(StatusName, refused) == 128);
static_assert(offsetof(StatusName, last_refusal) == 136);

// A network address that its channels have reached over the network.
struct StatusNetwork {
  char address[kStatusNameBytes];
  uint64_t connections;             // made so far
  uint64_t last_time;               // of the last one
  char reason[kStatusReasonBytes];  // why not through memory, the last time
};
static_assert(sizeof(StatusNetwork) == 336);
static_assert(offsetof(StatusNetwork, connections) == 96);
static_assert(offsetof(StatusNetwork, last_time) == 104);
static_assert(offsetof(StatusNetwork, reason) == 112);

// A connection through memory.
struct StatusConnection {
  uint64_t arena;  // the arena's inode, the same at both ends; 0 in a region
  uint64_t start_time;
  uint32_t side;      // 0: the server's; 1: the client's
  uint32_t trust;     // PeerTrust
  uint32_t peer_pid;  // as the process's own namespaces number it; 0: unknown there
  uint32_t peer_uid;
  char name[kStatusNameBytes];
  char rollout[16];
  uint64_t arena_bytes, ring_bytes, payload_bytes;
  // The stream path: gRPC's writes and reads, and the bytes of both rings.
  uint64_t writes, reads;
  uint64_t ring_bytes_out, ring_bytes_in;
  uint64_t ring_fill_out, ring_fill_in;  // bytes that are not read yet, now
  uint64_t full_waits;                   // writes that found the ring full
  uint64_t wakes_sent, wakes_received;
  // Blocks, of both paths: bytes lent so far; of our area now: bytes that can be had without
  // asking, bytes in use of them, and pieces that the peer holds.
  uint64_t block_bytes_out, block_bytes_in;
  uint64_t blocks_granted, blocks_in_use, loans_out;
  // Direct calls: posted by the client or seen by the server; under way now; of the client's, those
  // made on the stream path after all. Bytes in their buffers.
  uint64_t calls, calls_running, calls_not_taken;
  uint64_t call_bytes_out, call_bytes_in;
  // The sum, and how many are in each bucket. A client's: from the beginning of a call until its
  // response is there, of those that got one. A server's: from taking a call to its response.
  uint64_t latency_sum;
  uint64_t latency[kLatencyBuckets];
  // Of the calls, those whose client did not wait.
  uint64_t one_way_calls;
  // How calls ended, by gRPC's status code. A client does not know it of one-way calls.
  uint64_t outcomes[kCallOutcomes];
  // Calls at a time that the server makes room for, 0: any number; and how many wait now: at the
  // server's end for room, at the client's for a slot.
  uint64_t capacity, calls_waiting;
  // Streams without HTTP/2: posted by the client or taken by the server; under way now; those that
  // wait for the server's capacity now, at its end. Their messages, bytes in their rings (those of
  // blocks are counted above), and how they ended.
  uint64_t streams, streams_running, streams_waiting;
  uint64_t stream_messages_out, stream_messages_in;
  uint64_t stream_bytes_out, stream_bytes_in;
  uint64_t stream_outcomes[kCallOutcomes];
};
static_assert(kCallOutcomes == 17);
static_assert(kLatencyBuckets == 82);
static_assert(sizeof(StatusConnection) == 1336);
static_assert(offsetof(StatusConnection, side) == 16);
static_assert(offsetof(StatusConnection, name) == 32);
static_assert(offsetof(StatusConnection, rollout) == 128);
static_assert(offsetof(StatusConnection, arena_bytes) == 144);
static_assert(offsetof(StatusConnection, writes) == 168);
static_assert(offsetof(StatusConnection, full_waits) == 216);
static_assert(offsetof(StatusConnection, block_bytes_out) == 240);
static_assert(offsetof(StatusConnection, calls) == 280);
static_assert(offsetof(StatusConnection, latency_sum) == 320);
static_assert(offsetof(StatusConnection, latency) == 328);
static_assert(offsetof(StatusConnection, one_way_calls) == 984);
static_assert(offsetof(StatusConnection, outcomes) == 992);
static_assert(offsetof(StatusConnection, capacity) == 1128);
static_assert(offsetof(StatusConnection, calls_waiting) == 1136);
static_assert(offsetof(StatusConnection, streams) == 1144);
static_assert(offsetof(StatusConnection, stream_outcomes) == 1200);

// A connection that one of its channels has over the network now.
struct StatusNetworkPeer {
  uint64_t start_time;
  char peer[kStatusNameBytes];      // its address
  char reason[kStatusReasonBytes];  // why not through memory
};
static_assert(sizeof(StatusNetworkPeer) == 328);
static_assert(offsetof(StatusNetworkPeer, peer) == 8);
static_assert(offsetof(StatusNetworkPeer, reason) == 104);

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_STATUS_STATUS_LAYOUT_H_
