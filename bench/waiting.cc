// SPDX-License-Identifier: Apache-2.0

// What the default way of waiting costs, beside fixed spins: the regret is the default's p50 over
// that of the best fixed spin which takes no more CPU time. Compare the rows of one case only.
//
//   ./bazelw run -c opt //bench:waiting
//   ./bazelw run -c opt //bench:waiting -- --quick
//   ./bazelw run -c opt //bench:waiting -- --cases="one caller,1000 a second"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "bench/experiments/idle.h"
#include "bench/experiments/rounds.h"
#include "bench/harness/bench_main.h"
#include "bench/harness/process_pair.h"
#include "bench/harness/service_chain.h"
#include "bench/report/table.h"
#include "bench/roles/client_main.h"
#include "bench/roles/relay_main.h"
#include "bench/roles/server_main.h"

using List = std::vector<std::string>;

ABSL_FLAG(bool, quick, false, "two rounds with few fixed spins: a look, not a measurement");
ABSL_FLAG(List, cases, {}, "only these, by name");
ABSL_FLAG(int, rounds, 5, "turns of each way of waiting; figures are medians over them");
ABSL_FLAG(double, seconds, 0.3, "length of a turn");

namespace grpc_cxl::bench {
namespace {

constexpr const char kDefault[] = "adaptive";

struct WaitingCase {
  std::string name;
  std::string transport = "cxl_direct";
  uint32_t size_bytes = 64;
  int pairs = 1;
  double per_second = 0;
  int services = 0;  // of a chain
};

const WaitingCase kCases[] = {
    {.name = "one caller"},
    {.name = "64 KiB", .size_bytes = 64 << 10},
    {.name = "100 a second", .per_second = 100},
    {.name = "1000 a second", .per_second = 1000},
    {.name = "10000 a second", .per_second = 10'000},
    {.name = "HTTP/2", .transport = "cxl"},
    {.name = "8 pairs", .pairs = 8},
    {.name = "chain of 8", .services = 8},
};

List Fixed() {
  if (absl::GetFlag(FLAGS_quick)) return {"spin=0", "spin=50", "spin=200", "spin=1000"};
  return {"spin=0", "spin=20", "spin=50", "spin=100", "spin=200", "spin=500", "spin=1000"};
}

Effort EffortOfFlags() {
  return {.rounds = absl::GetFlag(FLAGS_quick) ? 2 : absl::GetFlag(FLAGS_rounds),
          .seconds = absl::GetFlag(FLAGS_seconds)};
}

absl::StatusOr<std::vector<Row>> MeasurePairs(const WaitingCase& what,
                                              const std::vector<ProcessPairOptions>& contenders) {
  std::vector<PairGroup> groups(contenders.size());
  std::vector<PairGroup*> turns;
  for (size_t i = 0; i < contenders.size(); ++i) {
    for (int made = 0; made < what.pairs; ++made) {
      absl::StatusOr<std::unique_ptr<ProcessPair>> pair = ProcessPair::Start(contenders[i]);
      if (!pair.ok()) return pair.status();
      groups[i].push_back(*std::move(pair));
    }
    turns.push_back(&groups[i]);
  }
  Case calls;
  calls.set_api("sync");
  calls.set_size_bytes(what.size_bytes);
  calls.set_concurrency(1);
  calls.set_payload("string");
  calls.set_per_second(what.per_second);
  return MeasureInRounds(turns, calls, EffortOfFlags());
}

absl::StatusOr<std::vector<Row>> MeasureChains(const WaitingCase& what,
                                               const std::vector<ProcessPairOptions>& contenders) {
  std::vector<std::unique_ptr<ServiceChain>> chains;
  for (const ProcessPairOptions& each : contenders) {
    absl::StatusOr<std::unique_ptr<ServiceChain>> chain =
        ServiceChain::Start(each.transport, each.wait, what.services);
    if (!chain.ok()) return chain.status();
    chains.push_back(*std::move(chain));
  }
  const Effort effort = EffortOfFlags();
  Round round;
  round.mutable_what()->set_api("chain");
  round.mutable_what()->set_size_bytes(what.size_bytes);
  round.mutable_what()->set_concurrency(1);
  round.mutable_what()->set_services(what.services);
  round.set_seconds(effort.seconds);
  std::vector<std::vector<RoundResult>> results(chains.size());
  for (int turn = 0; turn < effort.rounds; ++turn) {
    for (size_t i = 0; i < chains.size(); ++i) {
      absl::StatusOr<RoundResult> result = chains[i]->RunRound(round, absl::Seconds(60));
      if (!result.ok()) return result.status();
      results[i].push_back(*std::move(result));
    }
  }
  std::vector<Row> rows;
  for (size_t i = 0; i < chains.size(); ++i) {
    rows.push_back(MakeRow(chains[i]->path(), round.what(), results[i], 0));
  }
  return rows;
}

// `rows`: unix, the default, the fixed spins.
void Print(const WaitingCase& what, const std::vector<Row>& rows) {
  const Row& ours = rows[1];
  Table table({"wait", "p50 us", "low", "high", "CPU us", "switches"}, 1);
  const Row* best = nullptr;
  for (const Row& row : rows) {
    table.AddRow({row.transport() == "unix" ? "unix" : row.wait(),
                  absl::StrFormat("%.1f", row.p50_us()), absl::StrFormat("%.1f", row.p50_low_us()),
                  absl::StrFormat("%.1f", row.p50_high_us()),
                  absl::StrFormat("%.1f", row.cpu_us_per_call()),
                  absl::StrFormat("%.2f", row.context_switches_per_call())});
    if (&row >= &rows[2] && row.cpu_us_per_call() <= ours.cpu_us_per_call() &&
        (best == nullptr || row.p50_us() < best->p50_us())) {
      best = &row;
    }
  }
  absl::PrintF("\n%s\n%s", what.name, table.ToString());
  if (best == nullptr) {
    absl::PrintF("regret: none, every fixed spin takes more CPU time\n");
  } else {
    absl::PrintF("regret: %.2f, to %s\n", ours.p50_us() / best->p50_us(), best->wait());
  }
  std::fflush(stdout);
}

absl::Status PrintIdleCpu() {
  for (const char* transport : {"unix", "cxl_direct"}) {
    const std::string wait = transport == std::string("unix") ? "kernel" : kDefault;
    const absl::StatusOr<IdleCost> cost =
        MeasureIdle({.transport = transport, .wait = wait}, /*connections=*/10, /*seconds=*/1);
    if (!cost.ok()) return cost.status();
    absl::PrintF("idle, 10 connections, %s: server %.2f, client %.2f ms of CPU time a second\n",
                 transport, cost->server_after, cost->client_after);
  }
  return absl::OkStatus();
}

absl::Status Measure() {
  const List wanted = absl::GetFlag(FLAGS_cases);
  for (const WaitingCase& what : kCases) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), what.name) == wanted.end()) {
      continue;
    }
    std::vector<ProcessPairOptions> contenders = {{.transport = "unix", .wait = "kernel"},
                                                  {.transport = what.transport, .wait = kDefault}};
    for (const std::string& wait : Fixed()) {
      contenders.push_back({.transport = what.transport, .wait = wait});
    }
    const absl::StatusOr<std::vector<Row>> rows =
        what.services > 0 ? MeasureChains(what, contenders) : MeasurePairs(what, contenders);
    if (!rows.ok()) return rows.status();
    Print(what, *rows);
  }
  return wanted.empty() ? PrintIdleCpu() : absl::OkStatus();
}

}  // namespace
}  // namespace grpc_cxl::bench

int main(int argc, char** argv) {
  using namespace grpc_cxl::bench;  // NOLINT: main() is part of it
  return BenchMain(argc, argv,
                   {.name = "waiting",
                    .usage = "compares the default way of waiting with fixed spins",
                    .roles = {{"server", ServerMain},
                              {"client", ClientMain},
                              {"relay_server", RelayServerMain},
                              {"relay_client", RelayClientMain}},
                    .coordinate = []() -> absl::StatusOr<int> {
                      if (absl::Status measured = Measure(); !measured.ok()) return measured;
                      return 0;
                    }});
}
