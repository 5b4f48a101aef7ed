// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/tools/prometheus_metrics.h"

#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpc_cxl/rendezvous/peer_trust.h"
#include "grpc_cxl/status/call_outcomes.h"

namespace grpc_cxl::internal {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

double Seconds(uint64_t ns) { return static_cast<double>(ns) / 1e9; }

// Families by name.
class Families {
 public:
  void Counter(const std::string& name, const char* help, const Labels& labels, uint64_t value) {
    Metric(name, help, MetricType::Counter, labels).counter.value = static_cast<double>(value);
  }
  void Gauge(const std::string& name, const char* help, const Labels& labels, double value) {
    Metric(name, help, MetricType::Gauge, labels).gauge.value = value;
  }
  ClientMetric& Metric(const std::string& name, const char* help, MetricType type,
                       const Labels& labels) {
    MetricFamily& family = families_[name];
    family.name = absl::StrCat("grpc_cxl_", name);
    family.help = help;
    family.type = type;
    // Prometheus takes nothing of an answer that has one series twice; a hostile page might.
    if (!series_.emplace(name, labels).second) return surplus_;
    ClientMetric& metric = family.metric.emplace_back();
    metric.label = labels;
    return metric;
  }

  std::vector<MetricFamily> All() && {
    std::vector<MetricFamily> all;
    for (auto& [name, family] : families_) all.push_back(std::move(family));
    return all;
  }

 private:
  std::map<std::string, MetricFamily> families_;
  std::set<std::pair<std::string, Labels>> series_;
  ClientMetric surplus_;
};

Labels With(Labels labels, const char* name, const std::string& value) {
  labels.push_back({name, value});
  return labels;
}

void AddCalls(const StatusProcess& process, const Labels& labels, Families* families) {
  const uint64_t direct =
      process.direct > process.not_taken ? process.direct - process.not_taken : 0;
  const std::pair<const char*, uint64_t> paths[] = {
      {"direct", direct},
      {"not_taken", process.not_taken},
      {"no_connection", process.no_connection},
      {"not_eligible", process.not_eligible},
      {"too_large", process.too_large},
      {"no_slot", process.no_slot},
      {"excluded_channel", process.excluded_channel},
      {"global_interceptor", process.global_interceptor},
      {"no_descriptor", process.no_descriptor}};
  for (const auto& [outcome, count] : paths) {
    families->Counter("unary_calls_total",
                      "Unary calls of channels that may make direct calls; those that are not "
                      "direct took HTTP/2, for the reason in outcome.",
                      With(labels, "outcome", outcome), count);
  }
  for (const auto& [outcome, count] :
       {std::pair("returned", process.one_way), std::pair("background", process.one_way_background),
        std::pair("failed", process.one_way_failed)}) {
    families->Counter("one_way_calls_total",
                      "One-way calls that returned at once; of calls that did, those made in the "
                      "background over HTTP/2, and those that did not run or failed.",
                      With(labels, "outcome", outcome), count);
  }
  for (const auto& [path, count] :
       {std::pair("direct", process.direct_streams), std::pair("http2", process.http2_streams)}) {
    families->Counter("streams_total", "Streams of channels that may make direct ones, by path.",
                      With(labels, "path", path), count);
  }
  families->Counter("served_streams_total",
                    "Streams without HTTP/2 that servers of the process have taken.", labels,
                    process.served_streams);
  for (const auto& [outcome, count] :
       {std::pair("taken", process.served), std::pair("refused", process.refused)}) {
    families->Counter("served_calls_total", "Direct calls that came to servers of the process.",
                      With(labels, "outcome", outcome), count);
  }
}

void AddProcess(const ProcessStatus& found, const Labels& labels, Families* families) {
  const StatusPage& page = found.page;
  const StatusProcess& process = page.process;
  families->Gauge(
      "process_info", "A process with a status page.",
      With(With(With(labels, "uid", absl::StrCat(found.uid)), "grpc_version", process.grpc_version),
           "layout_version", absl::StrCat(process.layout_version)),
      1);
  families->Gauge("process_start_time_seconds", "When the process began, since 1970.", labels,
                  Seconds(process.start_time));
  families->Gauge("connections", "Connections through memory now, of both sides.", labels,
                  static_cast<double>(page.connections.size() + process.connections_not_shown));
  for (const auto& [path, count] : {std::pair("memory", process.memory_connections),
                                    std::pair("network", process.network_connections),
                                    std::pair("declined", process.declined_connections),
                                    std::pair("moved", process.moved_connections)}) {
    families->Counter("channel_connections_total",
                      "Connections that channels have made, by path; declined: over the network, "
                      "although a server of this host has registered the address; moved: of those "
                      "over the network, ended because such a server has appeared.",
                      With(labels, "path", path), count);
  }
  families->Gauge("network_connections", "Connections of channels over the network now.", labels,
                  static_cast<double>(page.network_peers.size() + process.network_peers_not_shown));
  families->Counter("bytes_for_want_of_blocks_total",
                    "Bytes that were copied through a ring because no block was free.", labels,
                    process.sent_for_want_of_blocks);
  families->Counter("polling_thread_takeovers_total",
                    "Polling threads that were replaced because a callback blocked them.", labels,
                    process.takeovers);
  AddCalls(process, labels, families);
  for (size_t i = 0; i < page.threads.size(); ++i) {
    const StatusThread& thread = page.threads[i];
    const Labels its = With(labels, "thread", absl::StrCat(i));
    families->Gauge("wake_up_seconds", "What a wake-up takes, as a polling thread has learned.",
                    its, Seconds(thread.wake_up));
    families->Gauge("spin_seconds", "How long a polling thread spins now before it sleeps.", its,
                    Seconds(thread.spin));
    families->Counter("waits_total", "Waits of a polling thread for work.", its, thread.waits);
    families->Counter("sleeps_total", "Waits in which a polling thread slept.", its, thread.sleeps);
  }
  for (const StatusName& name : page.names) {
    const Labels its = With(With(labels, "name", DisplayName(name.name)), "rollout", name.rollout);
    families->Counter("accepted_connections_total", "Connections that a server has accepted.", its,
                      name.accepted);
    families->Counter("refused_connections_total", "Connections that a server has refused.", its,
                      name.refused);
  }
}

void AddLatencies(const StatusConnection& connection, const Labels& labels, Families* families) {
  const bool client = connection.side == 1;
  ClientMetric::Histogram& histogram =
      families
          ->Metric(client ? "call_duration_seconds" : "served_call_duration_seconds",
                   client ? "Direct calls of a client until the response was there."
                          : "Direct calls in a server, from taking a call to its response.",
                   MetricType::Histogram, labels)
          .histogram;
  histogram.sample_sum = Seconds(connection.latency_sum);
  for (size_t bucket = 0; bucket < kLatencyBuckets; ++bucket) {
    histogram.sample_count += connection.latency[bucket];
    const bool last = bucket == kLatencyBuckets - 1;
    // One of the four of each doubling is enough here.
    if (bucket % 4 != 0 && !last) continue;
    histogram.bucket.push_back(
        {histogram.sample_count, last ? std::numeric_limits<double>::infinity()
                                      : Seconds(static_cast<uint64_t>(LatencyBound(bucket)))});
  }
}

// OK always, others once there are any.
void AddEnds(const char* name, const char* help, const uint64_t (&outcomes)[kCallOutcomes],
             const Labels& labels, Families* families) {
  for (size_t i = 0; i < kCallOutcomes; ++i) {
    if (i > 0 && outcomes[i] == 0) continue;
    families->Counter(name, help, With(labels, "status", kOutcomeNames[i]), outcomes[i]);
  }
}

void AddConnection(const StatusConnection& connection, const Labels& labels, Families* families) {
  const Labels out = With(labels, "direction", "out"), in = With(labels, "direction", "in");
  families->Gauge("connection_info", "A connection through memory.",
                  With(With(With(labels, "peer_pid", absl::StrCat(connection.peer_pid)), "peer_uid",
                            absl::StrCat(connection.peer_uid)),
                       "trust", std::string(TrustText(static_cast<PeerTrust>(connection.trust)))),
                  1);
  families->Counter("connection_direct_calls_total", "Direct calls.", labels, connection.calls);
  families->Counter("connection_one_way_calls_total", "Direct calls whose client did not wait.",
                    labels, connection.one_way_calls);
  AddEnds("connection_direct_call_ends_total", "Direct calls that have ended, by gRPC's status.",
          connection.outcomes, labels, families);
  families->Gauge("connection_direct_calls_running", "Direct calls that run now.", labels,
                  static_cast<double>(connection.calls_running));
  families->Gauge("connection_direct_calls_waiting",
                  "Direct calls that wait now: at the server for room, at the client for a slot.",
                  labels, static_cast<double>(connection.calls_waiting));
  families->Counter("connection_streams_total", "Streams without HTTP/2.", labels,
                    connection.streams);
  AddEnds("connection_stream_ends_total",
          "Streams without HTTP/2 that have ended, by gRPC's status.", connection.stream_outcomes,
          labels, families);
  families->Gauge("connection_streams_running", "Streams without HTTP/2 that run now.", labels,
                  static_cast<double>(connection.streams_running));
  families->Gauge("connection_streams_waiting",
                  "Streams that wait for the server's capacity now, at its end.", labels,
                  static_cast<double>(connection.streams_waiting));
  const char* const messages = "Messages of streams without HTTP/2.";
  families->Counter("connection_stream_messages_total", messages, out,
                    connection.stream_messages_out);
  families->Counter("connection_stream_messages_total", messages, in,
                    connection.stream_messages_in);
  families->Gauge("connection_capacity",
                  "Direct calls at a time that the server makes room for; 0: any number.", labels,
                  static_cast<double>(connection.capacity));
  families->Counter("connection_writes_total", "gRPC's writes to HTTP/2.", labels,
                    connection.writes);
  families->Counter("connection_reads_total", "gRPC's reads from HTTP/2.", labels,
                    connection.reads);
  const char* const bytes = "Bytes in rings, blocks and buffers of direct calls.";
  families->Counter("connection_bytes_total", bytes, out,
                    connection.ring_bytes_out + connection.block_bytes_out +
                        connection.call_bytes_out + connection.stream_bytes_out);
  families->Counter("connection_bytes_total", bytes, in,
                    connection.ring_bytes_in + connection.block_bytes_in +
                        connection.call_bytes_in + connection.stream_bytes_in);
  families->Gauge("connection_ring_bytes", "Size of each ring.", labels,
                  static_cast<double>(connection.ring_bytes));
  const char* const fill = "Bytes in a ring that are not read yet.";
  families->Gauge("connection_unread_bytes", fill, out,
                  static_cast<double>(connection.ring_fill_out));
  families->Gauge("connection_unread_bytes", fill, in,
                  static_cast<double>(connection.ring_fill_in));
  families->Counter("connection_full_waits_total", "Writes that found the ring full.", labels,
                    connection.full_waits);
  families->Gauge("connection_blocks_in_use_bytes", "Memory of blocks that messages hold.", labels,
                  static_cast<double>(connection.blocks_in_use));
  families->Gauge("connection_blocks_granted_bytes",
                  "Memory of blocks that can be used without asking for more.", labels,
                  static_cast<double>(connection.blocks_granted));
  const char* const wakes = "Wake-ups: a system call each.";
  families->Counter("connection_wakes_total", wakes, out, connection.wakes_sent);
  families->Counter("connection_wakes_total", wakes, in, connection.wakes_received);
  AddLatencies(connection, labels, families);
}

}  // namespace

std::vector<MetricFamily> PrometheusMetrics(const HostStatus& host) {
  Families families;
  families.Gauge("status_pages_unreadable", "Status pages that could not be read.", {},
                 static_cast<double>(host.problems.size()));
  for (const ProcessStatus& process : host.processes) {
    // The number in the file's name tells equal pids of different namespaces apart.
    const Labels labels = {{"command", process.page.process.command},
                           {"pid", absl::StrCat(process.page.process.pid)},
                           {"page", process.file.substr(0, process.file.find('.'))}};
    AddProcess(process, labels, &families);
    for (const StatusConnection& connection : process.page.connections) {
      Labels its = labels;
      its.push_back({"name", DisplayName(connection.name)});
      its.push_back({"side", connection.side == 1 ? "client" : "server"});
      its.push_back({"rollout", connection.rollout});
      // Connections in a region have no inode; their begin tells them apart.
      std::string number =
          absl::StrCat(connection.arena != 0 ? connection.arena : connection.start_time);
      its.push_back({"connection", std::move(number)});
      AddConnection(connection, its, &families);
    }
  }
  return std::move(families).All();
}

}  // namespace grpc_cxl::internal
