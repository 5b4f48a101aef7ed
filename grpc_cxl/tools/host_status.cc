// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/tools/host_status.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "grpc_cxl/rendezvous/name_files.h"
#include "grpc_cxl/status/status_file.h"

namespace grpc_cxl::internal {
namespace {

constexpr size_t kMostFiles = 4096;

uint64_t BytesOut(const StatusConnection& end) {
  return end.ring_bytes_out + end.block_bytes_out + end.call_bytes_out + end.stream_bytes_out;
}

uint64_t BytesIn(const StatusConnection& end) {
  return end.ring_bytes_in + end.block_bytes_in + end.call_bytes_in + end.stream_bytes_in;
}

std::string Printable(absl::string_view text) {
  std::string result(text);
  std::replace_if(
      result.begin(), result.end(), [](unsigned char c) { return c < 32 || c > 126; }, '?');
  return result;
}

}  // namespace

HostStatus ReadHostStatus(const RendezvousDirectory& directory) {
  HostStatus host;
  host.directory = directory.path();
  size_t looked_at = 0;
  ForEachFile(directory, [&](absl::string_view name) {
    if (!IsStatusFile(name)) return true;
    if (++looked_at > kMostFiles) {
      host.problems.push_back(absl::StrCat("there are more than ", kMostFiles, " pages"));
      return false;
    }
    const std::string file(name);
    absl::StatusOr<FoundStatus> found = ReadStatusFile(directory.fd(), file);
    if (absl::IsNotFound(found.status())) return true;
    if (found.ok() && !found->alive) {
      RemoveDeadStatusFile(directory.fd(), file);
      return true;
    }
    const absl::Status problem = found.ok() ? found->page.status() : found.status();
    if (problem.ok()) {
      host.processes.push_back({file, found->uid, *std::move(found->page)});
    } else {
      host.problems.push_back(absl::StrCat(Printable(file), ": ", Printable(problem.message())));
    }
    return true;
  });
  std::sort(host.processes.begin(), host.processes.end(),
            [](const ProcessStatus& a, const ProcessStatus& b) {
              return std::tie(a.page.process.start_time, a.file) <
                     std::tie(b.page.process.start_time, b.file);
            });
  return host;
}

uint64_t JoinedConnection::bytes_to_server() const {
  return client != nullptr ? BytesOut(*client) : BytesIn(*server);
}

uint64_t JoinedConnection::bytes_to_client() const {
  return client != nullptr ? BytesIn(*client) : BytesOut(*server);
}

std::vector<JoinedConnection> JoinConnections(const HostStatus& host) {
  std::vector<JoinedConnection> all;
  std::map<uint64_t, size_t> servers;  // arena -> index in `all`
  for (const bool client : {false, true}) {
    for (const ProcessStatus& process : host.processes) {
      for (const StatusConnection& connection : process.page.connections) {
        if ((connection.side == 1) != client) continue;
        const auto other = client ? servers.find(connection.arena) : servers.end();
        // A hostile page may name any arena; the peer's pid is that of another namespace, perhaps.
        const bool joins =
            other != servers.end() && connection.arena != 0 && all[other->second].client == nullptr;
        if (!joins) {
          all.emplace_back();
          if (!client) servers.emplace(connection.arena, all.size() - 1);
        }
        JoinedConnection& joined = joins ? all[other->second] : all.back();
        (client ? joined.client : joined.server) = &connection;
        (client ? joined.client_process : joined.server_process) = &process;
      }
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return absl::string_view(a.any().name) < absl::string_view(b.any().name);
  });
  return all;
}

uint64_t LatencyQuantile(const StatusConnection* end, double part) {
  if (end == nullptr) return 0;
  uint64_t all = 0;
  for (const uint64_t count : end->latency) all += count;
  const double wanted = part * static_cast<double>(all);
  uint64_t below = 0;
  for (size_t bucket = 0; bucket < kLatencyBuckets && all > 0; ++bucket) {
    below += end->latency[bucket];
    if (below == 0 || static_cast<double>(below) < wanted) continue;
    return static_cast<uint64_t>(LatencyBound(std::min(bucket, kLatencyBuckets - 2)));
  }
  return 0;
}

std::string DisplayName(const char* name) {
  const absl::string_view text(name);
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "unix=")) return absl::StrCat("unix socket ", rest);
  if (absl::ConsumePrefix(&rest, "name=")) return std::string(rest);
  if (absl::ConsumePrefix(&rest, "tcp=")) {
    // The address, the port, the network namespace, and a replica's number.
    const std::vector<absl::string_view> parts = absl::StrSplit(rest, '=');
    if (parts.size() < 2) return std::string(text);
    const absl::string_view ip = parts[0] == "any" ? "*" : parts[0];
    const bool v6 = absl::StrContains(ip, ':');
    return absl::StrCat(v6 ? "[" : "", ip, v6 ? "]" : "", ":", parts[1],
                        parts.size() < 4 ? "" : "=", parts.size() < 4 ? "" : parts[3]);
  }
  return std::string(text);
}

}  // namespace grpc_cxl::internal
