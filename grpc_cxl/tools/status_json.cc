// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/tools/status_json.h"

#include <utility>

#include "grpc_cxl/rendezvous/peer_trust.h"
#include "grpc_cxl/status/call_outcomes.h"
#include "nlohmann/json.hpp"

namespace grpc_cxl::internal {
namespace {

using Json = nlohmann::ordered_json;

Json OfProcess(const StatusProcess& process) {
  Json json;
#define GRPC_CXL_FIELD(name) json[#name] = process.name
  GRPC_CXL_FIELD(pid);
  GRPC_CXL_FIELD(command);
  GRPC_CXL_FIELD(layout_version);
  GRPC_CXL_FIELD(grpc_version);
  GRPC_CXL_FIELD(start_time);
  GRPC_CXL_FIELD(written_time);
  GRPC_CXL_FIELD(direct);
  GRPC_CXL_FIELD(not_taken);
  GRPC_CXL_FIELD(no_connection);
  GRPC_CXL_FIELD(not_eligible);
  GRPC_CXL_FIELD(too_large);
  GRPC_CXL_FIELD(no_slot);
  GRPC_CXL_FIELD(excluded_channel);
  GRPC_CXL_FIELD(global_interceptor);
  GRPC_CXL_FIELD(no_descriptor);
  GRPC_CXL_FIELD(one_way);
  GRPC_CXL_FIELD(one_way_background);
  GRPC_CXL_FIELD(one_way_failed);
  GRPC_CXL_FIELD(direct_streams);
  GRPC_CXL_FIELD(http2_streams);
  GRPC_CXL_FIELD(served);
  GRPC_CXL_FIELD(refused);
  GRPC_CXL_FIELD(served_streams);
  GRPC_CXL_FIELD(memory_connections);
  GRPC_CXL_FIELD(network_connections);
  GRPC_CXL_FIELD(declined_connections);
  GRPC_CXL_FIELD(moved_connections);
  GRPC_CXL_FIELD(sent_in_place);
  GRPC_CXL_FIELD(sent_by_block);
  GRPC_CXL_FIELD(sent_by_ring);
  GRPC_CXL_FIELD(received_in_place);
  GRPC_CXL_FIELD(received_from_block);
  GRPC_CXL_FIELD(received_from_ring);
  GRPC_CXL_FIELD(sent_for_want_of_blocks);
  GRPC_CXL_FIELD(loans_out);
  GRPC_CXL_FIELD(loans_held);
  GRPC_CXL_FIELD(takeovers);
  GRPC_CXL_FIELD(hand_overs);
  GRPC_CXL_FIELD(connections_not_shown);
  GRPC_CXL_FIELD(names_not_shown);
  GRPC_CXL_FIELD(networks_not_shown);
  GRPC_CXL_FIELD(network_peers_not_shown);
#undef GRPC_CXL_FIELD
  return json;
}

Json OfThread(const StatusThread& thread) {
  constexpr const char* kPolicies[] = {"none", "adaptive", "spin", "park"};
  return {{"wait_policy", thread.wait_policy < 4 ? kPolicies[thread.wait_policy] : "unknown"},
          {"wake_up", thread.wake_up},
          {"spin", thread.spin},
          {"waits", thread.waits},
          {"sleeps", thread.sleeps}};
}

Json OfName(const StatusName& name) {
  return {{"name", name.name},
          {"rollout", name.rollout},
          {"direct_calls", name.direct_calls == 1},
          {"accepted", name.accepted},
          {"refused", name.refused},
          {"last_refusal", name.last_refusal}};
}

Json OfNetwork(const StatusNetwork& network) {
  return {{"address", network.address},
          {"connections", network.connections},
          {"last_time", network.last_time},
          {"reason", network.reason}};
}

Json OfConnection(const StatusConnection& connection) {
  Json json;
#define GRPC_CXL_FIELD(name) json[#name] = connection.name
  GRPC_CXL_FIELD(arena);
  GRPC_CXL_FIELD(name);
  GRPC_CXL_FIELD(rollout);
  json["side"] = connection.side == 1 ? "client" : "server";
  json["trust"] = TrustText(static_cast<PeerTrust>(connection.trust));
  GRPC_CXL_FIELD(peer_pid);
  GRPC_CXL_FIELD(peer_uid);
  GRPC_CXL_FIELD(start_time);
  GRPC_CXL_FIELD(arena_bytes);
  GRPC_CXL_FIELD(ring_bytes);
  GRPC_CXL_FIELD(payload_bytes);
  GRPC_CXL_FIELD(writes);
  GRPC_CXL_FIELD(reads);
  GRPC_CXL_FIELD(ring_bytes_out);
  GRPC_CXL_FIELD(ring_bytes_in);
  GRPC_CXL_FIELD(ring_fill_out);
  GRPC_CXL_FIELD(ring_fill_in);
  GRPC_CXL_FIELD(full_waits);
  GRPC_CXL_FIELD(wakes_sent);
  GRPC_CXL_FIELD(wakes_received);
  GRPC_CXL_FIELD(block_bytes_out);
  GRPC_CXL_FIELD(block_bytes_in);
  GRPC_CXL_FIELD(blocks_granted);
  GRPC_CXL_FIELD(blocks_in_use);
  GRPC_CXL_FIELD(loans_out);
  GRPC_CXL_FIELD(calls);
  GRPC_CXL_FIELD(calls_running);
  GRPC_CXL_FIELD(calls_waiting);
  GRPC_CXL_FIELD(capacity);
  GRPC_CXL_FIELD(calls_not_taken);
  GRPC_CXL_FIELD(call_bytes_out);
  GRPC_CXL_FIELD(call_bytes_in);
  GRPC_CXL_FIELD(one_way_calls);
  GRPC_CXL_FIELD(latency_sum);
  GRPC_CXL_FIELD(streams);
  GRPC_CXL_FIELD(streams_running);
  GRPC_CXL_FIELD(streams_waiting);
  GRPC_CXL_FIELD(stream_messages_out);
  GRPC_CXL_FIELD(stream_messages_in);
  GRPC_CXL_FIELD(stream_bytes_out);
  GRPC_CXL_FIELD(stream_bytes_in);
#undef GRPC_CXL_FIELD
  Json& latencies = json["latencies"] = Json::array();
  for (size_t bucket = 0; bucket < kLatencyBuckets; ++bucket) {
    if (connection.latency[bucket] == 0) continue;
    const bool last = bucket == kLatencyBuckets - 1;
    latencies.push_back({last ? Json() : Json(LatencyBound(bucket)), connection.latency[bucket]});
  }
  for (const auto& [name, counts] : {std::pair("outcomes", connection.outcomes),
                                     std::pair("stream_outcomes", connection.stream_outcomes)}) {
    Json& outcomes = json[name] = Json::object();
    for (size_t i = 0; i < kCallOutcomes; ++i) {
      if (counts[i] > 0) outcomes[kOutcomeNames[i]] = counts[i];
    }
  }
  return json;
}

Json OfNetworkPeer(const StatusNetworkPeer& peer) {
  return {{"peer", peer.peer}, {"start_time", peer.start_time}, {"reason", peer.reason}};
}

template <typename Entry>
Json All(const std::vector<Entry>& entries, Json (*of)(const Entry&)) {
  Json json = Json::array();
  for (const Entry& entry : entries) json.push_back(of(entry));
  return json;
}

}  // namespace

std::string StatusJson(const HostStatus& host) {
  Json processes = Json::array();
  for (const ProcessStatus& process : host.processes) {
    Json json = OfProcess(process.page.process);
    json["uid"] = process.uid;
    json["threads"] = All(process.page.threads, OfThread);
    json["names"] = All(process.page.names, OfName);
    json["networks"] = All(process.page.networks, OfNetwork);
    json["connections"] = All(process.page.connections, OfConnection);
    json["network_peers"] = All(process.page.network_peers, OfNetworkPeer);
    processes.push_back(std::move(json));
  }
  const Json all = {{"directory", host.directory},
                    {"processes", std::move(processes)},
                    {"problems", host.problems}};
  // A path may have any bytes.
  return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace grpc_cxl::internal
