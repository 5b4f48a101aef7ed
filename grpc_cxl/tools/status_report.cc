// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/tools/status_report.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "grpc_cxl/rendezvous/peer_trust.h"
#include "grpc_cxl/status/call_outcomes.h"
#include "grpc_cxl/tools/figures.h"

namespace grpc_cxl::internal {
namespace {

std::string Serves(const StatusPage& page) {
  if (page.names.empty()) return "-";
  const std::string more = page.names.size() == 1 ? "" : absl::StrCat(" +", page.names.size() - 1);
  return absl::StrCat(DisplayName(page.names[0].name), more);
}

// The longest spin and the dearest wake-up of its threads.
StatusThread Extremes(const StatusPage& page) {
  StatusThread most{};
  for (const StatusThread& thread : page.threads) {
    most.spin = std::max(most.spin, thread.spin);
    most.wake_up = std::max(most.wake_up, thread.wake_up);
  }
  return most;
}

std::string TrustOf(const StatusConnection& end) {
  const absl::string_view text = TrustText(static_cast<PeerTrust>(end.trust));
  return text.empty() ? "unknown" : std::string(text);
}

std::vector<std::pair<uint64_t, absl::string_view>> Reasons(const StatusProcess& process) {
  return {{process.not_taken, "not taken by the server"},
          {process.no_connection, "without a connection"},
          {process.not_eligible, "not eligible"},
          {process.too_large, "too large"},
          {process.no_slot, "without a slot"},
          {process.excluded_channel, "of an excluded channel"},
          {process.global_interceptor, "with a global interceptor"},
          {process.no_descriptor, "without a descriptor"},
          {process.http2_streams, "streams"}};
}

}  // namespace

std::string ProcessText(const ProcessStatus* process, uint32_t pid) {
  if (process == nullptr) return absl::StrCat(":", pid);
  return absl::StrCat(process->page.process.command, ":", process->page.process.pid);
}

uint64_t StreamCalls(const StatusProcess& process) {
  uint64_t all = 0;
  for (const auto& [count, reason] : Reasons(process)) all += count;
  return all;
}

std::string StreamReasons(const StatusProcess& process) {
  std::vector<std::string> texts;
  for (const auto& [count, reason] : Reasons(process)) {
    if (count > 0) texts.push_back(absl::StrCat(count, " ", reason));
  }
  return absl::StrJoin(texts, ", ");
}

TextTable ProcessTable(const HostStatus& host) {
  TextTable table({{.title = "PROCESS"},
                   {.title = "UID", .right = true, .rank = 6},
                   {.title = "SERVES", .rank = 1},
                   {.title = "CONNS", .right = true, .rank = 2},
                   {.title = "SERVED", .right = true, .rank = 5},
                   {.title = "DIRECT", .right = true, .rank = 3},
                   {.title = "HTTP/2", .right = true, .rank = 4},
                   {.title = "SPIN", .right = true, .rank = 8},
                   {.title = "WAKE-UP", .right = true, .rank = 7},
                   {.title = "WHY HTTP/2", .most = 120, .rank = 9, .shrinks = true}});
  for (const ProcessStatus& process : host.processes) {
    const StatusPage& page = process.page;
    const StatusThread most = Extremes(page);
    table.AddRow(
        {ProcessText(&process, 0), absl::StrCat(process.uid), Serves(page),
         absl::StrCat(page.connections.size() + page.process.connections_not_shown),
         CountText(page.process.served + page.process.served_streams),
         CountText(page.process.direct - std::min(page.process.direct, page.process.not_taken) +
                   page.process.direct_streams),
         CountText(StreamCalls(page.process)), TimeText(most.spin), TimeText(most.wake_up),
         StreamReasons(page.process)});
  }
  return table;
}

TextTable ConnectionTable(const std::vector<JoinedConnection>& connections, uint64_t now) {
  TextTable table({{.title = "NAME", .most = 21},
                   {.title = "CLIENT", .most = 17, .rank = 1},
                   {.title = "SERVER", .most = 17, .rank = 2},
                   {.title = "CALLS", .right = true, .rank = 3},
                   {.title = "P50", .right = true, .rank = 4},
                   {.title = "P99", .right = true, .rank = 5},
                   {.title = ">BYTES", .right = true, .rank = 6},
                   {.title = "<BYTES", .right = true, .rank = 7},
                   {.title = "STREAM", .right = true, .rank = 8},
                   {.title = "RING", .right = true, .rank = 11},
                   {.title = "FULL", .right = true, .rank = 12},
                   {.title = "LENT", .right = true, .rank = 13},
                   {.title = "WAKES", .right = true, .rank = 10},
                   {.title = "TRUST", .rank = 9},
                   {.title = "AGE", .right = true, .rank = 14},
                   {.title = "ROLLOUT", .rank = 15}});
  for (const JoinedConnection& joined : connections) {
    const StatusConnection& end = joined.any();
    const uint64_t fill = std::max(end.ring_fill_out, end.ring_fill_in);
    const uint64_t percent = end.ring_bytes == 0 ? 0 : 100 * fill / end.ring_bytes;
    const uint32_t client_pid = joined.client == nullptr ? joined.server->peer_pid : 0;
    const uint32_t server_pid = joined.server == nullptr ? joined.client->peer_pid : 0;
    table.AddRow({DisplayName(end.name), ProcessText(joined.client_process, client_pid),
                  ProcessText(joined.server_process, server_pid),
                  CountText(end.calls + end.streams), TimeText(LatencyQuantile(joined.client, 0.5)),
                  TimeText(LatencyQuantile(joined.client, 0.99)),
                  BytesText(joined.bytes_to_server()), BytesText(joined.bytes_to_client()),
                  CountText(end.writes + end.reads), absl::StrCat(percent, "%"),
                  CountText(end.full_waits), BytesText(end.blocks_in_use),
                  CountText(end.wakes_sent + end.wakes_received), TrustOf(end),
                  TimeText(now > end.start_time ? now - end.start_time : 0),
                  end.rollout[0] == '\0' ? "-" : std::string(end.rollout)});
  }
  return table;
}

std::string ConnectionDetail(const JoinedConnection& joined) {
  TextTable table({{.title = Shortened(DisplayName(joined.any().name), 40), .most = 40},
                   {.title = "CLIENT", .right = true},
                   {.title = "SERVER", .right = true}});
  const auto add = [&](const char* what, std::string (*text)(uint64_t),
                       uint64_t StatusConnection::*figure) {
    table.AddRow({what, joined.client ? text(joined.client->*figure) : "?",
                  joined.server ? text(joined.server->*figure) : "?"});
  };
  add("direct calls", CountText, &StatusConnection::calls);
  add("  running now", CountText, &StatusConnection::calls_running);
  add("  waiting now", CountText, &StatusConnection::calls_waiting);
  add("  capacity", CountText, &StatusConnection::capacity);
  add("  not taken", CountText, &StatusConnection::calls_not_taken);
  add("  one-way", CountText, &StatusConnection::one_way_calls);
  const auto add_outcomes = [&](uint64_t(StatusConnection::*outcomes)[kCallOutcomes]) {
    for (size_t i = 0; i < kCallOutcomes; ++i) {
      const uint64_t at_client = joined.client ? (joined.client->*outcomes)[i] : 0;
      const uint64_t at_server = joined.server ? (joined.server->*outcomes)[i] : 0;
      if (at_client + at_server == 0) continue;
      table.AddRow({absl::StrCat("  ended ", kOutcomeNames[i]),
                    joined.client ? CountText(at_client) : "?",
                    joined.server ? CountText(at_server) : "?"});
    }
  };
  add_outcomes(&StatusConnection::outcomes);
  add("  bytes sent", BytesText, &StatusConnection::call_bytes_out);
  add("  bytes received", BytesText, &StatusConnection::call_bytes_in);
  add("streams without HTTP/2", CountText, &StatusConnection::streams);
  add("  running now", CountText, &StatusConnection::streams_running);
  add("  waiting now", CountText, &StatusConnection::streams_waiting);
  add("  messages sent", CountText, &StatusConnection::stream_messages_out);
  add("  messages received", CountText, &StatusConnection::stream_messages_in);
  add_outcomes(&StatusConnection::stream_outcomes);
  add("  bytes sent", BytesText, &StatusConnection::stream_bytes_out);
  add("  bytes received", BytesText, &StatusConnection::stream_bytes_in);
  add("HTTP/2: writes", CountText, &StatusConnection::writes);
  add("  reads", CountText, &StatusConnection::reads);
  add("  bytes sent", BytesText, &StatusConnection::ring_bytes_out);
  add("  bytes received", BytesText, &StatusConnection::ring_bytes_in);
  add("  sent, not read yet", BytesText, &StatusConnection::ring_fill_out);
  add("  waits for a full ring", CountText, &StatusConnection::full_waits);
  add("blocks: bytes sent", BytesText, &StatusConnection::block_bytes_out);
  add("  bytes received", BytesText, &StatusConnection::block_bytes_in);
  add("  in use", BytesText, &StatusConnection::blocks_in_use);
  add("  granted", BytesText, &StatusConnection::blocks_granted);
  add("  pieces lent", CountText, &StatusConnection::loans_out);
  add("wake-ups sent", CountText, &StatusConnection::wakes_sent);
  add("  received", CountText, &StatusConnection::wakes_received);
  std::string text;
  for (const auto& [end, what] :
       {std::pair(joined.client, "latency"), std::pair(joined.server, "  in the server")}) {
    if (end == nullptr) continue;
    absl::StrAppend(&text, what);
    for (const double part : {0.5, 0.9, 0.99, 0.999}) {
      absl::StrAppend(&text, "  p", 100 * part, " ", TimeText(LatencyQuantile(end, part)));
    }
    absl::StrAppend(&text, "\n");
  }
  return absl::StrCat(text, table.Text(0));
}

TextTable NetworkTable(const HostStatus& host) {
  TextTable table({{.title = "PROCESS"},
                   {.title = "ADDRESS", .most = 32, .rank = 1},
                   {.title = "CONNS", .right = true, .rank = 3},
                   {.title = "WHY NOT THROUGH MEMORY", .most = 230, .rank = 2, .shrinks = true}});
  for (const ProcessStatus& process : host.processes) {
    for (const StatusNetwork& network : process.page.networks) {
      table.AddRow({ProcessText(&process, 0), network.address, absl::StrCat(network.connections),
                    network.reason});
    }
  }
  return table;
}

TextTable NetworkPeerTable(const HostStatus& host, uint64_t now) {
  TextTable table({{.title = "PROCESS"},
                   {.title = "CONNECTED OVER THE NETWORK TO", .most = 32, .rank = 1},
                   {.title = "AGE", .right = true, .rank = 3},
                   {.title = "WHY NOT THROUGH MEMORY", .most = 230, .rank = 2, .shrinks = true}});
  for (const ProcessStatus& process : host.processes) {
    for (const StatusNetworkPeer& peer : process.page.network_peers) {
      table.AddRow({ProcessText(&process, 0), peer.peer,
                    TimeText(now > peer.start_time ? now - peer.start_time : 0), peer.reason});
    }
    if (const uint32_t more = process.page.process.network_peers_not_shown; more > 0) {
      table.AddRow({ProcessText(&process, 0), absl::StrCat("and ", more, " more"), "-", ""});
    }
  }
  return table;
}

std::string StatusReport(const HostStatus& host, size_t width, uint64_t now) {
  const TextTable connections = ConnectionTable(JoinConnections(host), now),
                  networks = NetworkTable(host), peers = NetworkPeerTable(host, now);
  std::string text = absl::StrCat(host.processes.size(), " processes and ", connections.rows(),
                                  " connections through memory in ", host.directory, "\n");
  if (!host.processes.empty()) absl::StrAppend(&text, "\n", ProcessTable(host).Text(width));
  if (connections.rows() > 0) absl::StrAppend(&text, "\n", connections.Text(width));
  if (networks.rows() > 0) absl::StrAppend(&text, "\n", networks.Text(width));
  if (peers.rows() > 0) absl::StrAppend(&text, "\n", peers.Text(width));
  for (const ProcessStatus& process : host.processes) {
    for (const StatusName& name : process.page.names) {
      if (name.refused == 0) continue;
      absl::StrAppend(&text, "\n", ProcessText(&process, 0), " refused ", name.refused,
                      " connections to ", DisplayName(name.name), ", the last one because ",
                      name.last_refusal, "\n");
    }
  }
  for (const std::string& problem : host.problems) absl::StrAppend(&text, "\n", problem, "\n");
  return text;
}

}  // namespace grpc_cxl::internal
