// SPDX-License-Identifier: Apache-2.0

// Measures what a hop costs an application: the latency of a call through a chain of N services,
// each in its own process, and of N calls at once to N services.
//
//   ./bazelw run -c opt //bench:chain_bench
//   ./bazelw run -c opt //bench:chain_bench -- --transports=unix,cxl_direct --services=1,64

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "bench/experiments/rounds.h"
#include "bench/harness/bench_main.h"
#include "bench/harness/service_chain.h"
#include "bench/harness/transport.h"
#include "bench/report/html_report.h"
#include "bench/report/report.h"
#include "bench/report/table.h"
#include "bench/roles/relay_main.h"

using List = std::vector<std::string>;

ABSL_FLAG(List, transports, List({"tcp", "unix", "inproc", "cxl", "cxl_direct"}),
          "transports to compare");
ABSL_FLAG(List, wait, List({"adaptive"}), "wait policies of cxl: adaptive, park, spin");
ABSL_FLAG(List, shapes, List({"chain", "fan_out"}),
          "calls: through a chain of services, to all at once");
ABSL_FLAG(List, services, List({"1", "2", "4", "8", "16", "32", "64"}), "numbers of services");
ABSL_FLAG(uint32_t, size, 64, "payload bytes, each way");
ABSL_FLAG(int, rounds, 5, "turns of each transport; figures are medians over them");
ABSL_FLAG(double, seconds, 0.2, "length of a turn");
ABSL_FLAG(std::string, json, "", "file to write the rows to, as JSON");
ABSL_FLAG(std::string, html, "", "file to write a report with plots to, one HTML page");

namespace grpc_cxl::bench {
namespace {

constexpr uint32_t kMostServices = 256;

absl::StatusOr<std::vector<uint32_t>> Counts() {
  std::vector<uint32_t> counts;
  for (const std::string& text : absl::GetFlag(FLAGS_services)) {
    uint32_t count;
    if (!absl::SimpleAtoi(text, &count) || count == 0 || count > kMostServices) {
      return absl::InvalidArgumentError(
          absl::StrCat("--services=", text, " is not a number from 1 to ", kMostServices, "."));
    }
    counts.push_back(count);
  }
  return counts;
}

using Chains = std::vector<std::unique_ptr<ServiceChain>>;

absl::StatusOr<Chains> StartChains(int services) {
  Chains chains;
  for (const std::string& transport : absl::GetFlag(FLAGS_transports)) {
    const absl::StatusOr<List> waits = Waits(transport, absl::GetFlag(FLAGS_wait));
    if (!waits.ok()) return waits.status();
    for (const std::string& wait : *waits) {
      auto chain = ServiceChain::Start(transport, wait, services);
      if (!chain.ok()) return chain.status();
      chains.push_back(*std::move(chain));
    }
  }
  return chains;
}

// Measures every chain in turn, round after round. Returns a row per chain.
absl::StatusOr<std::vector<Row>> MeasureCase(const Chains& chains, const Case& what) {
  Round round;
  *round.mutable_what() = what;
  round.set_seconds(absl::GetFlag(FLAGS_seconds));
  std::vector<std::vector<RoundResult>> results(chains.size());
  for (int i = 0; i < absl::GetFlag(FLAGS_rounds); ++i) {
    for (size_t chain = 0; chain < chains.size(); ++chain) {
      auto result = chains[chain]->RunRound(round, absl::Seconds(60 + 2 * round.seconds()));
      if (!result.ok()) return result.status();
      results[chain].push_back(*std::move(result));
    }
  }
  std::vector<Row> rows;
  for (size_t chain = 0; chain < chains.size(); ++chain) {
    rows.push_back(MakeRow(chains[chain]->path(), what, results[chain], 0));
    // These are figures of the client process alone.
    rows.back().clear_cpu_us_per_call();
    rows.back().clear_cpu_us_per_call_of_rounds();
    rows.back().clear_page_faults_per_call();
    rows.back().clear_context_switches_per_call();
  }
  return rows;
}

// p50 by transport and number of services, and the cost of each additional service.
std::string ShapeAsTable(const std::vector<std::vector<Row>>& by_count) {
  List columns = {"transport", "wait"};
  for (const auto& rows : by_count) columns.push_back(absl::StrCat(rows.front().services()));
  columns.push_back("each more");
  Table table(columns, 2);
  for (size_t i = 0; i < by_count.front().size(); ++i) {
    const Row &first = by_count.front()[i], &last = by_count.back()[i];
    List cells = {first.transport(), first.wait()};
    for (const auto& rows : by_count) cells.push_back(absl::StrFormat("%.0f", rows[i].p50_us()));
    const double more = static_cast<double>(last.services()) - first.services();
    cells.push_back(more > 0 ? absl::StrFormat("%.1f", (last.p50_us() - first.p50_us()) / more)
                             : "");
    table.AddRow(std::move(cells));
  }
  return table.ToString();
}

absl::Status WriteFiles(const Report& report) {
  return WriteReport(report, FileOfFlag(absl::GetFlag(FLAGS_json)), HtmlReport(report),
                     FileOfFlag(absl::GetFlag(FLAGS_html)));
}

absl::StatusOr<int> Coordinate() {
  if (absl::GetFlag(FLAGS_rounds) < 1 || absl::GetFlag(FLAGS_seconds) <= 0) {
    return absl::InvalidArgumentError("--rounds and --seconds must be above 0.");
  }
  for (const std::string& shape : absl::GetFlag(FLAGS_shapes)) {
    if (shape != "chain" && shape != "fan_out") {
      return absl::InvalidArgumentError(
          absl::StrCat("There is no --shapes=", shape, "; there are chain and fan_out."));
    }
  }
  const auto counts = Counts();
  if (!counts.ok()) return counts.status();
  Report report = NewReport();
  report.set_rounds(absl::GetFlag(FLAGS_rounds));
  if (absl::Status written = WriteFiles(report); !written.ok()) return written;
  absl::PrintF("%s; p50 in microseconds, medians of %d interleaved rounds\n", MachineLine(report),
               report.rounds());
  std::fflush(stdout);
  const auto chains = StartChains(*std::max_element(counts->begin(), counts->end()));
  if (!chains.ok()) return chains.status();

  for (const std::string& shape : absl::GetFlag(FLAGS_shapes)) {
    std::vector<std::vector<Row>> by_count;
    for (const uint32_t count : *counts) {
      Case what;
      what.set_api(shape);
      what.set_size_bytes(absl::GetFlag(FLAGS_size));
      what.set_concurrency(1);
      what.set_payload("string");
      what.set_services(count);
      auto rows = MeasureCase(*chains, what);
      if (!rows.ok()) return rows.status();
      for (const Row& row : *rows) *report.add_rows() = row;
      by_count.push_back(*std::move(rows));
    }
    absl::PrintF("\n%s, %d bytes, by number of services\n%s",
                 shape == "chain" ? "A chain of services, each calling the next"
                                  : "A call to each service at once, until the last has answered",
                 absl::GetFlag(FLAGS_size), ShapeAsTable(by_count));
    std::fflush(stdout);
  }
  if (absl::Status written = WriteFiles(report); !written.ok()) return written;
  return 0;
}

}  // namespace
}  // namespace grpc_cxl::bench

int main(int argc, char** argv) {
  using namespace grpc_cxl::bench;  // NOLINT: main() is part of it
  return BenchMain(argc, argv,
                   {.name = "chain_bench",
                    .usage = "measures what a hop costs an application of many services",
                    .roles = {{"relay_server", RelayServerMain}, {"relay_client", RelayClientMain}},
                    .coordinate = Coordinate});
}
