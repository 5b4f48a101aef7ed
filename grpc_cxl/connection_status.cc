// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/connection_status.h"

#include "grpc_cxl/event_engine/status_snapshot.h"
#include "grpc_cxl/rendezvous/peer_trust.h"

namespace grpc_cxl {

std::vector<ConnectionStatus> GetConnectionStatus() {
  using internal::StatusConnection;
  std::vector<ConnectionStatus> all;
  for (const StatusConnection& from : internal::TakeStatusSnapshot().connections) {
    all.push_back({
        .side = from.side == 1 ? ConnectionStatus::Side::kClient : ConnectionStatus::Side::kServer,
        .name = from.name,
        .rollout = from.rollout,
        .since = absl::FromUnixNanos(static_cast<int64_t>(from.start_time)),
        .peer_pid = static_cast<pid_t>(from.peer_pid),
        .peer_uid = from.peer_uid,
        .trust = std::string(internal::TrustText(static_cast<internal::PeerTrust>(from.trust))),
        .direct_calls = from.calls,
        .direct_calls_running = from.calls_running,
        .direct_calls_waiting = from.calls_waiting,
        .capacity = from.capacity,
        .streams = from.streams,
        .streams_running = from.streams_running,
        .streams_waiting = from.streams_waiting,
        .stream_messages_out = from.stream_messages_out,
        .stream_messages_in = from.stream_messages_in,
        .writes = from.writes,
        .reads = from.reads,
        .bytes_out = from.ring_bytes_out + from.block_bytes_out + from.call_bytes_out +
                     from.stream_bytes_out,
        .bytes_in =
            from.ring_bytes_in + from.block_bytes_in + from.call_bytes_in + from.stream_bytes_in,
        .ring_bytes = from.ring_bytes,
        .unread_out = from.ring_fill_out,
        .unread_in = from.ring_fill_in,
        .full_waits = from.full_waits,
        .block_bytes_in_use = from.blocks_in_use,
        .block_bytes_granted = from.blocks_granted,
        .wakes_sent = from.wakes_sent,
        .wakes_received = from.wakes_received,
    });
  }
  return all;
}

std::vector<PollingThreadStatus> GetPollingThreadStatus() {
  std::vector<PollingThreadStatus> all;
  for (const internal::StatusThread& from : internal::TakeStatusSnapshot().threads) {
    if (from.wait_policy == 0) continue;
    all.push_back({.policy = static_cast<WaitPolicy>(from.wait_policy - 1),
                   .wake_up = absl::Nanoseconds(from.wake_up),
                   .spin = absl::Nanoseconds(from.spin),
                   .waits = from.waits,
                   .sleeps = from.sleeps});
  }
  return all;
}

}  // namespace grpc_cxl
