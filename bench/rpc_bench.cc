// Compares transports under the same gRPC calls. Ratios between the rows of one run mean
// something; absolute times belong to the machine and the hour.
//
//   ./bazelw run -c opt //bench:rpc_bench
//   ./bazelw run -c opt //bench:rpc_bench -- --sizes=64 --wait=adaptive,park --json=/tmp/r.json
//   ./bazelw run -c opt //bench:rpc_bench -- --sizes=64 --apis=callback --concurrency=64
//   ./bazelw run -c opt //bench:rpc_bench -- --sizes=64 --pairs=8
//   ./bazelw run -c opt //bench:rpc_bench -- --blocking
//   ./bazelw run -c opt //bench:rpc_bench -- --parts
//   ./bazelw run -c opt //bench:rpc_bench -- --cxl_preset=local,expander,switch,pool
//   ./bazelw run -c opt //bench:rpc_bench -- --cxl_preset=local --cxl_coherence=coherent,flush
//   ./bazelw run -c opt //bench:rpc_bench -- --faults
//   ./bazelw run -c opt //bench:rpc_bench -- --idle=100

#include <stdlib.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/log/initialize.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "bench/blocked.h"
#include "bench/client_main.h"
#include "bench/echo_workload.h"
#include "bench/far_memory.h"
#include "bench/fault_client.h"
#include "bench/faults.h"
#include "bench/idle.h"
#include "bench/interrupt.h"
#include "bench/lane.h"
#include "bench/report.h"
#include "bench/rounds.h"
#include "bench/server_main.h"
#include "bench/table.h"
#include "bench/transport.h"

using List = std::vector<std::string>;

ABSL_FLAG(List, transports, List({"tcp", "unix", "cxl"}), "what to compare");
ABSL_FLAG(List, sizes, List({"64", "65536", "1048576"}), "payload bytes, each way");
ABSL_FLAG(List, apis, List({"sync"}),
          "client APIs: sync, callback; stream for 64 messages one way to a call");
ABSL_FLAG(List, payloads, List({"string"}), "classes of the messages' bytes: string, cord");
ABSL_FLAG(List, concurrency, List({"1"}), "calls in flight");
ABSL_FLAG(List, services, List({"callback"}), "what the service is written in: callback, sync");
ABSL_FLAG(List, wait, List({"adaptive"}), "wait policies of cxl: adaptive, park, spin");
ABSL_FLAG(int, pairs, 1, "client and server processes of a transport that run at the same time");
ABSL_FLAG(int, rounds, 9, "how often each transport takes its turn; medians are over rounds");
ABSL_FLAG(double, seconds, 0.5, "how long a turn takes");
ABSL_FLAG(uint64_t, calls, 0, "how many calls a turn takes, instead of --seconds");
ABSL_FLAG(std::string, json, "", "file to write the rows to as JSON");
ABSL_FLAG(bool, faults, false, "measure a killed server and its successor instead");
ABSL_FLAG(List, cxl_preset, {},
          "measure cxl on memory that is further away instead: local, expander, switch, pool");
ABSL_FLAG(List, cxl_coherence, List({"coherent"}), "of that memory: coherent, flush");
ABSL_FLAG(int, idle, 0, "measure the CPU time that this many idle connections cost instead");
ABSL_FLAG(bool, blocking, false, "measure calls while a handler sleeps instead");
ABSL_FLAG(bool, parts, false, "measure the way there, the handler and the way back instead");
ABSL_FLAG(std::string, role, "", "internal: what a child process is to do");

namespace grpc_cxl::bench {
namespace {

// Every transport under every wait policy that it knows.
absl::StatusOr<std::vector<LaneOptions>> Contenders() {
  std::vector<LaneOptions> contenders;
  for (const std::string& transport : absl::GetFlag(FLAGS_transports)) {
    const absl::StatusOr<List> waits = Waits(transport, absl::GetFlag(FLAGS_wait));
    if (!waits.ok()) return waits.status();
    for (const std::string& wait : *waits) {
      for (const std::string& service : absl::GetFlag(FLAGS_services)) {
        if (service != "callback" && service != "sync") {
          return absl::InvalidArgumentError(
              absl::StrCat("There is no --services=", service, "; there are callback and sync."));
        }
        contenders.push_back({.transport = transport, .wait = wait, .service_api = service});
      }
    }
  }
  return contenders;
}

absl::StatusOr<std::vector<Case>> Cases() {
  std::vector<Case> cases;
  for (const std::string& api : absl::GetFlag(FLAGS_apis)) {
    if (api != "sync" && api != "callback" && api != "stream") {
      return absl::InvalidArgumentError(
          absl::StrCat("There is no --apis=", api, "; there are sync, callback and stream."));
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

// The file of --json. `bazel run` changes the directory and says from which one.
std::string JsonFile() {
  const std::string file = absl::GetFlag(FLAGS_json);
  const char* directory = getenv("BUILD_WORKING_DIRECTORY");
  if (file.empty() || directory == nullptr) return file;
  return std::filesystem::path(directory) / file;  // an absolute `file` stays as it is
}

std::string Pairs() {
  const int pairs = absl::GetFlag(FLAGS_pairs);
  return pairs == 1 ? "" : absl::StrCat(", ", pairs, " pairs of processes at a time");
}

absl::Status RunCalls(const std::vector<LaneOptions>& contenders) {
  const absl::StatusOr<std::vector<Case>> cases = Cases();
  if (!cases.ok()) return cases.status();
  std::vector<LaneGroup> groups(contenders.size());
  for (size_t i = 0; i < contenders.size(); ++i) {
    for (int pair = 0; pair < absl::GetFlag(FLAGS_pairs); ++pair) {
      absl::StatusOr<std::unique_ptr<Lane>> lane = Lane::Start(contenders[i]);
      if (!lane.ok()) return lane.status();
      groups[i].push_back(*std::move(lane));
    }
  }
  const Effort effort{absl::GetFlag(FLAGS_rounds), absl::GetFlag(FLAGS_seconds),
                      absl::GetFlag(FLAGS_calls)};
  Report report = NewReport();
  report.set_rounds(effort.rounds);
  const std::string file = JsonFile();
  if (!file.empty()) {  // better now than after all the work
    if (absl::Status written = WriteJson(report, file); !written.ok()) return written;
  }
  absl::PrintF(
      "gRPC %s, %d cores, %s%s; medians of %d interleaved rounds, ratios to the better of "
      "tcp and unix\n",
      report.grpc_version(), report.cores(), report.kernel(),
      report.optimized_build() ? "" : " (NOT an optimized build: use -c opt)", effort.rounds);
  for (const Case& what : *cases) {
    const absl::StatusOr<std::vector<Row>> rows = MeasureInRounds(groups, what, effort);
    if (!rows.ok()) return rows.status();
    absl::PrintF("\n%s, %d bytes as %s, %d in flight%s\n%s", what.api(), what.size_bytes(),
                 what.payload(), what.concurrency(), Pairs(), RowsAsTable(*rows));
    std::fflush(stdout);
    for (const Row& row : *rows) *report.add_rows() = row;
  }
  return file.empty() ? absl::OkStatus() : WriteJson(report, file);
}

absl::Status RunFaults(const std::vector<LaneOptions>& contenders) {
  absl::PrintF(
      "The server is killed (SIGKILL) under 100 calls in flight; medians of %d times, in "
      "milliseconds\n\n",
      absl::GetFlag(FLAGS_rounds));
  std::fflush(stdout);
  Table table({"transport", "wait", "all calls ended", "UNAVAILABLE", "new server after",
               "found again after"},
              2);
  for (const LaneOptions& contender : contenders) {
    const absl::StatusOr<FaultTimes> times = MeasureFaults(contender, absl::GetFlag(FLAGS_rounds));
    if (!times.ok()) return times.status();
    table.AddRow(
        {contender.transport, contender.wait, absl::StrFormat("%.1f", times->calls_ended_ms),
         absl::StrCat(times->unavailable, " of ", times->calls),
         absl::StrFormat("%.1f", times->down_ms), absl::StrFormat("%.1f", times->found_again_ms)});
  }
  absl::PrintF("%s", table.ToString());
  return absl::OkStatus();
}

absl::Status RunBlocking(const std::vector<LaneOptions>& contenders) {
  constexpr double kSleepSeconds = 1;
  absl::PrintF(
      "64-byte calls while a handler sleeps for %.0f s on the thread that it was called on; "
      "medians of %d times, in microseconds\n\n",
      kSleepSeconds, absl::GetFlag(FLAGS_rounds));
  std::fflush(stdout);
  Table table({"transport", "wait", "service", "p50 alone", "p50 meanwhile", "longest meanwhile"},
              3);
  for (const LaneOptions& contender : contenders) {
    const absl::StatusOr<HandlerBlocked> blocked =
        MeasureBlocked(contender, absl::GetFlag(FLAGS_rounds), kSleepSeconds);
    if (!blocked.ok()) return blocked.status();
    table.AddRow({contender.transport, contender.wait, contender.service_api,
                  absl::StrFormat("%.1f", blocked->alone_p50_us()),
                  absl::StrFormat("%.1f", blocked->p50_us()),
                  absl::StrFormat("%.1f", blocked->longest_us())});
  }
  absl::PrintF("%s", table.ToString());
  return absl::OkStatus();
}

absl::Status RunParts(const std::vector<LaneOptions>& contenders) {
  constexpr uint32_t kCalls = 20'000;
  absl::PrintF(
      "Where the time of 64-byte calls goes: from the stub to the handler, in it, and back to "
      "the caller; medians of %d calls, in microseconds\n\n",
      kCalls);
  Table table({"transport", "wait", "service", "there", "handler", "back"}, 3);
  Request request;
  request.mutable_break_down()->set_size_bytes(64);
  request.mutable_break_down()->set_calls(kCalls);
  for (const LaneOptions& contender : contenders) {
    const absl::StatusOr<std::unique_ptr<Lane>> lane = Lane::Start(contender);
    if (!lane.ok()) return lane.status();
    const absl::StatusOr<Reply> reply = (*lane)->Ask(request, absl::Minutes(2));
    if (!reply.ok()) return reply.status();
    const BrokenDown& parts = reply->broken_down();
    table.AddRow({contender.transport, contender.wait, contender.service_api,
                  absl::StrFormat("%.1f", parts.there_us()),
                  absl::StrFormat("%.1f", parts.handler_us()),
                  absl::StrFormat("%.1f", parts.back_us())});
  }
  absl::PrintF("%s", table.ToString());
  return absl::OkStatus();
}

absl::Status RunFarMemory(const std::vector<LaneOptions>& contenders) {
  const absl::StatusOr<std::vector<Case>> cases = Cases();
  if (!cases.ok()) return cases.status();
  const absl::StatusOr<std::vector<LaneOptions>> lanes =
      OnEachMemory(contenders, absl::GetFlag(FLAGS_cxl_preset), absl::GetFlag(FLAGS_cxl_coherence));
  if (!lanes.ok()) return lanes.status();
  const Effort effort{absl::GetFlag(FLAGS_rounds), absl::GetFlag(FLAGS_seconds),
                      absl::GetFlag(FLAGS_calls)};
  absl::PrintF(
      "Calls through memory that is further away than here, or not coherent; medians of %d "
      "interleaved rounds. memory: waits for it in both processes, in a call\n",
      effort.rounds);
  return MeasureFarMemory(*lanes, *cases, effort);
}

absl::Status RunIdle(const std::vector<LaneOptions>& contenders) {
  constexpr double kSeconds = 5;
  const int connections = absl::GetFlag(FLAGS_idle);
  absl::PrintF(
      "CPU time of processes that make no call, in milliseconds a second, without and "
      "with %d connections\n\n",
      connections);
  Table table({"transport", "wait", "server without", "with", "client without", "with"}, 2);
  for (const LaneOptions& contender : contenders) {
    const absl::StatusOr<IdleCost> cost = MeasureIdle(contender, connections, kSeconds);
    if (!cost.ok()) return cost.status();
    table.AddRow({contender.transport, contender.wait, absl::StrFormat("%.2f", cost->server_before),
                  absl::StrFormat("%.2f", cost->server_after),
                  absl::StrFormat("%.2f", cost->client_before),
                  absl::StrFormat("%.2f", cost->client_after)});
  }
  absl::PrintF("%s", table.ToString());
  return absl::OkStatus();
}

// glibc gives large freed buffers back to the kernel at once; a message of a megabyte then
// pays for hundreds of page faults, over TCP half of its time. Most allocators keep memory,
// so the processes measured here do as well, whatever the transport: up to 32 MiB a buffer.
// Who wants to see glibc's own thresholds sets these variables to 131072.
void KeepFreedMemory() {
  setenv("MALLOC_MMAP_THRESHOLD_", "33554432", /*overwrite=*/0);
  setenv("MALLOC_TRIM_THRESHOLD_", "1073741824", /*overwrite=*/0);
}

// Abseil without NDEBUG, as Debian builds it, looks for cycles of locks at every lock, a
// quarter of the CPU time of a call. Builds for production do not, so nothing here does.
void ForgetLockCycles() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

absl::Status Coordinate() {
  CatchInterrupts();
  KeepFreedMemory();
  if (absl::GetFlag(FLAGS_pairs) < 1 || absl::GetFlag(FLAGS_pairs) > 64) {
    return absl::InvalidArgumentError("--pairs must be from 1 to 64.");
  }
  if (absl::GetFlag(FLAGS_rounds) < 1 || absl::GetFlag(FLAGS_seconds) < 0) {
    return absl::InvalidArgumentError("--rounds must be at least 1, and --seconds not negative.");
  }
  const absl::StatusOr<std::vector<LaneOptions>> contenders = Contenders();
  if (!contenders.ok()) return contenders.status();
  if (absl::GetFlag(FLAGS_faults)) return RunFaults(*contenders);
  if (absl::GetFlag(FLAGS_parts)) return RunParts(*contenders);
  if (absl::GetFlag(FLAGS_blocking)) return RunBlocking(*contenders);
  if (absl::GetFlag(FLAGS_idle) > 0) return RunIdle(*contenders);
  if (!absl::GetFlag(FLAGS_cxl_preset).empty()) return RunFarMemory(*contenders);
  return RunCalls(*contenders);
}

int Main() {
  ForgetLockCycles();
  EchoWorkload echo;
  const std::string role = absl::GetFlag(FLAGS_role);
  if (role == "server") return ServerMain(echo);
  if (role == "client") return ClientMain(echo);
  if (role == "fault_client") return FaultClientMain();
  const absl::Status status = Coordinate();
  if (status.ok()) return 0;
  absl::FPrintF(stderr, "rpc_bench: %s\n", status.message());
  return absl::IsCancelled(status) ? 130 : 1;  // 130: what a shell expects after Ctrl-C
}

}  // namespace
}  // namespace grpc_cxl::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("compares transports under the same gRPC calls");
  absl::ParseCommandLine(argc, argv);
  absl::InitializeLog();
  return grpc_cxl::bench::Main();
}
