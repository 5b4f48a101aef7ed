// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_CONNECTION_STATUS_H_
#define GRPC_CXL_CONNECTION_STATUS_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "grpc_cxl/wait_policy.h"

namespace grpc_cxl {

// A connection of this process through memory, as its status page shows it too
// (docs/configuration.md, Status page). Counted since it was made.
struct ConnectionStatus {
  enum class Side { kServer, kClient };

  Side side = Side::kServer;  // of this process
  // "shop/payments"; "tcp=127.0.0.1=50051=..." of a network address.
  std::string name;
  std::string rollout;
  absl::Time since;
  // As this process's namespaces number them; 0 where they do not, and in regions.
  pid_t peer_pid = 0;
  uid_t peer_uid = 0;
  // The rung of trust: "a stranger", "the same user", "the same namespaces", "trusted".
  std::string trust;

  // Direct calls: made by the client, or come to the server; and those that run now.
  uint64_t direct_calls = 0;
  uint64_t direct_calls_running = 0;
  // Those that wait now: at the server's end for room (ServerOptions::capacity), at the client's
  // for a slot. And the server's capacity; 0: any number.
  uint64_t direct_calls_waiting = 0;
  uint64_t capacity = 0;
  // Streams without HTTP/2 (ServerOptions::direct_streams): all, those that run, and at the
  // server's end those that wait for room; and their messages.
  uint64_t streams = 0;
  uint64_t streams_running = 0;
  uint64_t streams_waiting = 0;
  uint64_t stream_messages_out = 0, stream_messages_in = 0;
  // gRPC's writes to and reads from the HTTP/2 connection.
  uint64_t writes = 0, reads = 0;
  // Bytes of all of that, whether in rings, blocks or the buffers of direct calls.
  uint64_t bytes_out = 0, bytes_in = 0;

  uint64_t ring_bytes = 0;  // of each ring
  // Bytes that have not been read yet, in each ring.
  uint64_t unread_out = 0, unread_in = 0;
  uint64_t full_waits = 0;  // writes that had to wait for space in the ring
  // Memory of our blocks that messages hold, and what may be used without asking for more.
  uint64_t block_bytes_in_use = 0, block_bytes_granted = 0;
  // System calls that woke the peer, and those by which it woke us.
  uint64_t wakes_sent = 0, wakes_received = 0;
};

// All that live now, in the order in which they were made, up to 256. Thread-safe; some
// microseconds for each.
std::vector<ConnectionStatus> GetConnectionStatus();

// A polling thread of this process, and how it waits for its peers.
struct PollingThreadStatus {
  WaitPolicy policy = WaitPolicy::kAdaptive;  // of its first connection
  absl::Duration wake_up;                     // what a wake-up takes, as it has learned; 0: unknown
  absl::Duration spin;                        // how long it spins now before it sleeps
  uint64_t waits = 0;                         // that are over
  uint64_t sleeps = 0;                        // of those, in which it slept
};

// Those that have had a connection. Thread-safe.
std::vector<PollingThreadStatus> GetPollingThreadStatus();

}  // namespace grpc_cxl

#endif  // GRPC_CXL_CONNECTION_STATUS_H_
