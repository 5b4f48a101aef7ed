// SPDX-License-Identifier: Apache-2.0

// Compares transports under the same gRPC calls. Compare the rows of one run: absolute times depend
// on the machine and on what else it does.
//
//   ./bazelw run -c opt //bench:rpc_bench
//   ./bazelw run -c opt //bench:rpc_bench -- --sizes=64 --wait=adaptive,park --json=/tmp/r.json
//   ./bazelw run -c opt //bench:rpc_bench -- --sizes=64 --apis=callback --concurrency=64
//   ./bazelw run -c opt //bench:rpc_bench -- --sizes=64 --pairs=8
//   ./bazelw run -c opt //bench:rpc_bench -- --apis=pingpong --pin=no,yes --html=/tmp/r.html
//   ./bazelw run -c opt //bench:rpc_bench -- --sizes=64 --apis=callback --concurrency=64
//       --transports=tcp,cxl,cxl_direct --handler_cpu_us=100
//   ./bazelw run -c opt //bench:rpc_bench -- --transports=tcp,network --sizes=64,65536 --rounds=101
//   ./bazelw run -c opt //bench:rpc_bench -- --blocking
//   ./bazelw run -c opt //bench:rpc_bench -- --parts
//   ./bazelw run -c opt //bench:rpc_bench -- --cxl_preset=local,expander,switch,pool
//   ./bazelw run -c opt //bench:rpc_bench -- --cxl_preset=local --cxl_coherence=coherent,flush
//   ./bazelw run -c opt //bench:rpc_bench -- --faults
//   ./bazelw run -c opt //bench:rpc_bench -- --idle=100

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <iterator>
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
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "bench/experiments/far_memory.h"
#include "bench/experiments/rounds.h"
#include "bench/experiments/special_experiments.h"
#include "bench/harness/bench_main.h"
#include "bench/harness/process_pair.h"
#include "bench/harness/transport.h"
#include "bench/report/html_report.h"
#include "bench/report/report.h"
#include "bench/roles/client_main.h"
#include "bench/roles/fault_client.h"
#include "bench/roles/server_main.h"

using List = std::vector<std::string>;

ABSL_FLAG(List, transports, List({"tcp", "unix", "cxl"}),
          "transports to compare: tcp, network, unix, inproc, cxl, cxl_direct, cxl_own");
ABSL_FLAG(List, sizes, List({"64", "65536", "1048576"}), "payload bytes, each way");
ABSL_FLAG(
    List, apis, List({"sync"}),
    "client APIs: sync, callback; stream (a call sends 64 messages); pingpong (a message each "
    "way on an open stream); one_way (sync calls that do not wait for the answer)");
ABSL_FLAG(List, payloads, List({"string"}), "classes of the messages' bytes: string, cord");
ABSL_FLAG(List, concurrency, List({"1"}), "calls in flight");
ABSL_FLAG(List, services, List({"callback"}),
          "APIs that the service is written in: callback, sync");
ABSL_FLAG(List, wait, List({"adaptive"}), "wait policies of cxl: adaptive, park, spin");
ABSL_FLAG(List, pin, List({"no"}),
          "no, yes: pin client and server to different halves of the cores");
ABSL_FLAG(uint32_t, handler_cpu_us, 0, "CPU time that the handler of each unary call takes");
ABSL_FLAG(int, pairs, 1, "process pairs (a client and a server) per transport, at the same time");
ABSL_FLAG(int, rounds, 9, "turns of each transport; figures are medians over them");
ABSL_FLAG(double, seconds, 0.5, "length of a turn");
ABSL_FLAG(uint64_t, calls, 0, "calls in a turn, instead of --seconds");
ABSL_FLAG(std::string, json, "", "file to write the rows to, as JSON");
ABSL_FLAG(std::string, html, "", "file to write a report with plots to, one HTML page");
ABSL_FLAG(bool, syscalls, false,
          "also count system calls, which needs root or CAP_PERFMON and slows them down");
ABSL_FLAG(bool, faults, false, "separate experiment: the server is killed and started again");
ABSL_FLAG(List, cxl_preset, {},
          "separate experiment: calls with cxl on emulated memory: local, expander, switch, pool");
ABSL_FLAG(List, cxl_coherence, List({"coherent"}),
          "coherence of the emulated memory of --cxl_preset: coherent, flush");
ABSL_FLAG(
    int, idle, 0,
    "separate experiment: CPU time of processes with this many idle connections, over ten turns");
ABSL_FLAG(bool, blocking, false, "separate experiment: calls while a handler blocks its thread");
ABSL_FLAG(bool, parts, false, "separate experiment: time to the handler, in the handler, and back");

namespace grpc_cxl::bench {
namespace {

// Every transport with every wait policy that applies to it.
absl::StatusOr<std::vector<ProcessPairOptions>> Contenders() {
  std::vector<ProcessPairOptions> contenders;
  for (const std::string& transport : absl::GetFlag(FLAGS_transports)) {
    const absl::StatusOr<List> waits = Waits(transport, absl::GetFlag(FLAGS_wait));
    if (!waits.ok()) return waits.status();
    for (const std::string& wait : *waits) {
      for (const std::string& service : absl::GetFlag(FLAGS_services)) {
        if (service != "callback" && service != "sync") {
          return absl::InvalidArgumentError(
              absl::StrCat("There is no --services=", service, "; there are callback and sync."));
        }
        for (const std::string& pin : absl::GetFlag(FLAGS_pin)) {
          if (pin != "yes" && pin != "no") {
            return absl::InvalidArgumentError(
                absl::StrCat("There is no --pin=", pin, "; there are yes and no."));
          }
          contenders.push_back({.transport = transport,
                                .wait = wait,
                                .service_api = service,
                                .pinned = pin == "yes",
                                .handler_cpu_us = absl::GetFlag(FLAGS_handler_cpu_us)});
        }
      }
    }
  }
  return contenders;
}

absl::StatusOr<std::vector<Case>> Cases() {
  std::vector<Case> cases;
  for (const std::string& api : absl::GetFlag(FLAGS_apis)) {
    static constexpr absl::string_view kApis[] = {"sync", "callback", "stream", "pingpong",
                                                  "one_way"};
    if (std::find(std::begin(kApis), std::end(kApis), api) == std::end(kApis)) {
      return absl::InvalidArgumentError(absl::StrCat("There is no --apis=", api, "; there are ",
                                                     absl::StrJoin(kApis, ", "), "."));
    }
    for (const std::string& concurrency : absl::GetFlag(FLAGS_concurrency)) {
      for (const std::string& size : absl::GetFlag(FLAGS_sizes)) {
        uint32_t bytes, in_flight;
        if (!absl::SimpleAtoi(size, &bytes) || bytes > (1u << 30)) {
          return absl::InvalidArgumentError(
              absl::StrCat("--sizes=", size, " is not a number of bytes up to 1 GiB."));
        }
        if (!absl::SimpleAtoi(concurrency, &in_flight) || in_flight == 0 || in_flight > 4096) {
          return absl::InvalidArgumentError(
              absl::StrCat("--concurrency=", concurrency, " is not a number from 1 to 4096."));
        }
        for (const std::string& payload : absl::GetFlag(FLAGS_payloads)) {
          if (payload != "string" && payload != "cord") {
            return absl::InvalidArgumentError(
                absl::StrCat("There is no --payloads=", payload, "; there are string and cord."));
          }
          Case& added = cases.emplace_back();
          added.set_api(api);
          added.set_size_bytes(bytes);
          added.set_concurrency(in_flight);
          added.set_payload(payload);
        }
      }
    }
  }
  return cases;
}

std::string PairsInWords() {
  const int pairs = absl::GetFlag(FLAGS_pairs);
  return pairs == 1 ? "" : absl::StrCat(", ", pairs, " process pairs at the same time");
}

std::string HandlersInWords() {
  const uint32_t cpu_us = absl::GetFlag(FLAGS_handler_cpu_us);
  return cpu_us == 0 ? "" : absl::StrCat(", handlers of ", cpu_us, " us of CPU time");
}

// Writes the files of --json and --html.
absl::Status WriteFiles(const Report& report) {
  return WriteReport(report, FileOfFlag(absl::GetFlag(FLAGS_json)), HtmlReport(report),
                     FileOfFlag(absl::GetFlag(FLAGS_html)));
}

absl::Status RunCalls(const std::vector<ProcessPairOptions>& contenders) {
  const absl::StatusOr<std::vector<Case>> cases = Cases();
  if (!cases.ok()) return cases.status();
  std::vector<PairGroup> groups(contenders.size());
  for (size_t i = 0; i < contenders.size(); ++i) {
    for (int made = 0; made < absl::GetFlag(FLAGS_pairs); ++made) {
      absl::StatusOr<std::unique_ptr<ProcessPair>> pair = ProcessPair::Start(contenders[i]);
      if (!pair.ok()) return pair.status();
      groups[i].push_back(*std::move(pair));
    }
  }
  std::vector<PairGroup*> turns;
  for (PairGroup& group : groups) turns.push_back(&group);
  const Effort effort{absl::GetFlag(FLAGS_rounds), absl::GetFlag(FLAGS_seconds),
                      absl::GetFlag(FLAGS_calls), absl::GetFlag(FLAGS_syscalls)};
  Report report = NewReport();
  report.set_rounds(effort.rounds);
  // Fails now rather than after the measurement.
  if (absl::Status written = WriteFiles(report); !written.ok()) return written;
  absl::PrintF("%s; medians of %d interleaved rounds, ratios to the better of tcp and unix\n",
               MachineLine(report), effort.rounds);
  for (const Case& what : *cases) {
    const absl::StatusOr<std::vector<Row>> rows = MeasureInRounds(turns, what, effort);
    if (!rows.ok()) return rows.status();
    absl::PrintF("\n%s, %d bytes as %s, %d in flight%s%s\n%s", what.api(), what.size_bytes(),
                 what.payload(), what.concurrency(), HandlersInWords(), PairsInWords(),
                 RowsAsTable(*rows));
    std::fflush(stdout);
    for (const Row& row : *rows) *report.add_rows() = row;
  }
  return WriteFiles(report);
}

absl::Status RunFarMemory(const std::vector<ProcessPairOptions>& contenders) {
  const absl::StatusOr<std::vector<Case>> cases = Cases();
  if (!cases.ok()) return cases.status();
  const absl::StatusOr<std::vector<ProcessPairOptions>> pairs =
      OnEachMemory(contenders, absl::GetFlag(FLAGS_cxl_preset), absl::GetFlag(FLAGS_cxl_coherence));
  if (!pairs.ok()) return pairs.status();
  const Effort effort{absl::GetFlag(FLAGS_rounds), absl::GetFlag(FLAGS_seconds),
                      absl::GetFlag(FLAGS_calls)};
  absl::PrintF(
      "Calls through emulated memory that is far away or not coherent; medians of %d interleaved "
      "rounds. memory us: time per call that both processes wait for it\n",
      effort.rounds);
  return MeasureFarMemory(*pairs, *cases, effort);
}

absl::Status Measure() {
  if (absl::GetFlag(FLAGS_pairs) < 1 || absl::GetFlag(FLAGS_pairs) > 64) {
    return absl::InvalidArgumentError("--pairs must be from 1 to 64.");
  }
  const int rounds = absl::GetFlag(FLAGS_rounds);
  if (rounds < 1 || absl::GetFlag(FLAGS_seconds) < 0) {
    return absl::InvalidArgumentError("--rounds must be at least 1, and --seconds not negative.");
  }
  const absl::StatusOr<std::vector<ProcessPairOptions>> contenders = Contenders();
  if (!contenders.ok()) return contenders.status();
  if (absl::GetFlag(FLAGS_faults)) return PrintFaults(*contenders, rounds);
  if (absl::GetFlag(FLAGS_parts)) {
    const uint64_t calls = absl::GetFlag(FLAGS_calls);
    return PrintLatencyBreakdown(*contenders, calls == 0 ? 20'000 : calls);
  }
  if (absl::GetFlag(FLAGS_blocking)) return PrintBlockingHandler(*contenders, rounds);
  if (absl::GetFlag(FLAGS_idle) > 0) {
    return PrintIdle(*contenders, absl::GetFlag(FLAGS_idle), 10 * absl::GetFlag(FLAGS_seconds));
  }
  if (!absl::GetFlag(FLAGS_cxl_preset).empty()) return RunFarMemory(*contenders);
  return RunCalls(*contenders);
}

}  // namespace
}  // namespace grpc_cxl::bench

int main(int argc, char** argv) {
  using namespace grpc_cxl::bench;  // NOLINT: main() is part of it
  return BenchMain(
      argc, argv,
      {.name = "rpc_bench",
       .usage = "compares transports under the same gRPC calls",
       .roles = {{"server", ServerMain}, {"client", ClientMain}, {"fault_client", FaultClientMain}},
       .coordinate = []() -> absl::StatusOr<int> {
         if (absl::Status measured = Measure(); !measured.ok()) return measured;
         return 0;
       }});
}
