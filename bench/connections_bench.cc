// SPDX-License-Identifier: Apache-2.0

// Measures how the cost of a server grows with its connections: memory, connect time, CPU time
// without calls, and the latency on one connection while many others are idle.
//
//   ./bazelw run -c opt //bench:connections_bench
//   ./bazelw run -c opt //bench:connections_bench -- --transports=cxl --connections=1,400
//   ./bazelw run -c opt //bench:connections_bench -- --html=$PWD/connections.html

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/experiments/connection_growth.h"
#include "bench/harness/bench_main.h"
#include "bench/harness/transport.h"
#include "bench/report/connections_report.h"
#include "bench/report/report.h"
#include "bench/roles/client_main.h"
#include "bench/roles/server_main.h"

using List = std::vector<std::string>;

ABSL_FLAG(List, transports, List({"tcp", "unix", "cxl", "cxl_direct"}), "transports to compare");
ABSL_FLAG(List, connections, List({"1", "10", "100", "1000"}), "numbers of connections, ascending");
ABSL_FLAG(List, arenas, List({"default", "small"}),
          "sizes of cxl's arenas: default, small (rings of 64 KiB, no payload blocks)");
ABSL_FLAG(double, seconds, 3, "for how long idle CPU time is measured");
ABSL_FLAG(std::string, json, "", "file to write the figures to, as JSON");
ABSL_FLAG(std::string, html, "", "file to write a report with plots to, one HTML page");

namespace grpc_cxl::bench {
namespace {

absl::StatusOr<std::vector<uint32_t>> Counts() {
  std::vector<uint32_t> counts;
  for (const std::string& text : absl::GetFlag(FLAGS_connections)) {
    uint32_t count;
    if (!absl::SimpleAtoi(text, &count) || count == 0 || count > 10'000 ||
        (!counts.empty() && count <= counts.back())) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--connections=", text, " is not a number from 1 to 10000 above the one before it."));
    }
    counts.push_back(count);
  }
  return counts;
}

// A connection takes a file descriptor in both processes.
void RaiseFileLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

struct Contender {
  ProcessPairOptions options;
  std::string arena;
};

absl::StatusOr<std::vector<Contender>> Contenders(uint32_t most_connections) {
  std::vector<Contender> contenders;
  for (const std::string& transport : absl::GetFlag(FLAGS_transports)) {
    const absl::StatusOr<List> waits = Waits(transport, {"adaptive"});
    if (!waits.ok()) return waits.status();
    const ProcessPairOptions options = {.transport = transport, .wait = waits->front()};
    if (transport == "inproc" || transport == "cxl_own") {
      return absl::InvalidArgumentError(absl::StrCat(transport, " has no connections."));
    }
    if (transport == "tcp" || transport == "unix") {
      contenders.push_back({options, ""});
      continue;
    }
    for (const std::string& arena : absl::GetFlag(FLAGS_arenas)) {
      Contender& added = contenders.emplace_back(Contender{options, arena});
      if (arena == "small") {
        added.options.arena.set_ring_bytes(64 << 10);
        added.options.arena.set_payload_bytes(0);
        added.options.arena.set_max_connections(std::max(1000u, most_connections));
      } else if (arena != "default") {
        return absl::InvalidArgumentError(
            absl::StrCat("There is no --arenas=", arena, "; there are default and small."));
      }
    }
  }
  return contenders;
}

absl::Status WriteFiles(const Report& report) {
  return WriteReport(report, FileOfFlag(absl::GetFlag(FLAGS_json)), ConnectionsAsHtml(report),
                     FileOfFlag(absl::GetFlag(FLAGS_html)));
}

absl::StatusOr<int> Coordinate() {
  if (!(absl::GetFlag(FLAGS_seconds) > 0)) {
    return absl::InvalidArgumentError("--seconds must be above 0.");
  }
  const auto counts = Counts();
  if (!counts.ok()) return counts.status();
  const auto contenders = Contenders(counts->back());
  if (!contenders.ok()) return contenders.status();
  Report report = NewReport();
  if (absl::Status written = WriteFiles(report); !written.ok()) return written;
  RaiseFileLimit();
  absl::PrintF("%s\n%s\n\n", MachineLine(report), kWhatConnectionsCost);
  std::fflush(stdout);
  std::string ends;
  for (const auto& [options, arena] : *contenders) {
    const auto growth = MeasureGrowth(options, *counts, absl::GetFlag(FLAGS_seconds));
    if (!growth.ok()) return growth.status();
    for (const ConnectionCost& cost : growth->costs) {
      *report.add_connections() = cost;
      report.mutable_connections()->rbegin()->set_arena(arena);
    }
    if (absl::IsCancelled(growth->end)) return growth->end;
    if (!growth->end.ok()) {
      absl::StrAppend(&ends, options.transport, arena.empty() ? "" : " with arenas of the size ",
                      arena, " takes no more connections: ", growth->end.message(), "\n");
    }
  }
  absl::PrintF("%s%s%s", ConnectionsAsTable(report), ends.empty() ? "" : "\n", ends);
  if (absl::Status written = WriteFiles(report); !written.ok()) return written;
  return 0;
}

}  // namespace
}  // namespace grpc_cxl::bench

int main(int argc, char** argv) {
  using namespace grpc_cxl::bench;  // NOLINT: main() is part of it
  return BenchMain(argc, argv,
                   {.name = "connections_bench",
                    .usage = "measures how the cost of a server grows with its connections",
                    .roles = {{"server", ServerMain}, {"client", ClientMain}},
                    .coordinate = Coordinate});
}
