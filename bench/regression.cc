// Tells whether calls have become slower than bench/baseline.json says, as ratios to tcp and
// unix of the same run: absolute times belong to the machine and the hour.
//
//   ./bazelw run -c opt //bench:regression
//   ./bazelw run -c opt //bench:regression -- --update     # on an unchanged tree
//
// Exit codes: 0 nothing has; 1 something has; 2 could not measure; 3 something is beyond its
// limit, but the baseline was measured on another kind of machine, so nobody can tell.

#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "bench/baseline.h"
#include "bench/bench_main.h"
#include "bench/client_main.h"
#include "bench/echo_workload.h"
#include "bench/regression_set.h"
#include "bench/report.h"
#include "bench/server_main.h"
#include "bench/table.h"
#include "bench/transport.h"

using List = std::vector<std::string>;

ABSL_FLAG(bool, update, false, "measure a new baseline and write it, instead of comparing");
ABSL_FLAG(int, runs, 5, "how many runs --update takes; limits follow from their spread");
ABSL_FLAG(std::string, baseline, "", "the file; default: bench/baseline.json of the workspace");
ABSL_FLAG(List, cases, {}, "only cases whose name begins with one of these; default: all");
ABSL_FLAG(int, rounds, 7, "how often each transport takes its turn; ratios are medians");
ABSL_FLAG(double, seconds, 0.2, "how long a turn takes");

namespace grpc_cxl::bench {
namespace {

// A case that seems slower is measured again before it counts, up to so often, by new processes
// and with so many times the rounds.
constexpr int kMoreLooks = 2, kMoreRounds = 2;
constexpr const char* kAgain[kMoreLooks + 1] = {"", " (measured again)", " (measured twice again)"};

// `bazel run` says where the workspace is; the working directory does otherwise.
std::string BaselineFile() {
  if (const std::string file = absl::GetFlag(FLAGS_baseline); !file.empty()) {
    return FileOfFlag(file);
  }
  const char* workspace = getenv("BUILD_WORKSPACE_DIRECTORY");
  const std::filesystem::path file = "bench/baseline.json";
  return workspace == nullptr ? file : workspace / file;
}

absl::StatusOr<std::vector<RegressionSet::CaseOfSet>> WantedCases() {
  const List wanted = absl::GetFlag(FLAGS_cases);
  if (wanted.empty()) return RegressionSet::Cases();
  std::vector<RegressionSet::CaseOfSet> cases;
  for (const std::string& prefix : wanted) {
    const size_t before = cases.size();
    List names;
    for (const auto& one : RegressionSet::Cases()) {
      names.push_back(one.name.substr(0, one.name.find(',')));
      if (one.name.starts_with(prefix)) cases.push_back(one);
    }
    if (cases.size() == before) {
      return absl::InvalidArgumentError(absl::StrCat("There is no case '", prefix, "'; there are ",
                                                     absl::StrJoin(names, ", "), "."));
    }
  }
  return cases;
}

Effort UsualEffort() { return {absl::GetFlag(FLAGS_rounds), absl::GetFlag(FLAGS_seconds)}; }

std::string Describe(const Machine& machine) {
  return absl::StrFormat("%d cores, %s, %s, gRPC %s", machine.cores(), machine.cpu(),
                         machine.kernel(), machine.grpc_version());
}

absl::StatusOr<int> Update(const std::vector<RegressionSet::CaseOfSet>& cases) {
  const std::string file = BaselineFile();
  std::vector<std::vector<MeasuredRatio>> runs(absl::GetFlag(FLAGS_runs));
  for (auto& run : runs) {
    RegressionSet set;  // new processes each time, as every comparison has
    for (const auto& one : cases) {
      const auto ratios = set.Measure(one, UsualEffort());
      if (!ratios.ok()) return ratios.status();
      run.insert(run.end(), ratios->begin(), ratios->end());
    }
    absl::PrintF("run %d of %d\n", &run - runs.data() + 1, runs.size());
    std::fflush(stdout);
  }
  const Baseline baseline = MakeBaseline(runs);
  Table table({"case", "ratio", "spread", "tolerance"}, 1);
  for (const Expectation& one : baseline.expectations()) {
    table.AddRow({one.name(), absl::StrFormat("%.3f", one.ratio()),
                  absl::StrFormat("%.0f %%", 100 * one.spread()),
                  absl::StrFormat("%.0f %%", 100 * one.tolerance())});
  }
  if (absl::Status written = WriteJson(baseline, file); !written.ok()) return written;
  absl::PrintF("\n%s\nWritten to %s\n", table.ToString(), file);
  return 0;
}

std::string InWords(Verdict verdict) {
  if (verdict == Verdict::kSlower) return "SLOWER";
  return verdict == Verdict::kFaster ? "faster: worth an --update" : "ok";
}

absl::StatusOr<int> CompareWithBaseline(const std::vector<RegressionSet::CaseOfSet>& cases) {
  const std::string file = BaselineFile();
  const absl::StatusOr<Baseline> baseline = ReadBaseline(file);
  if (!baseline.ok()) return baseline.status();
  const Machine machine = ThisMachine();
  const bool comparable = SameKind(machine, baseline->machine());
  absl::PrintF(
      "Ratios of the p50 to that over tcp and unix (their geometric mean) of the same run\n"
      "this machine: %s\nbaseline:     %s\n\n",
      Describe(machine), Describe(baseline->machine()));
  std::fflush(stdout);

  RegressionSet set;
  Table table({"case", "old", "new", "limit", "verdict"}, 1);
  bool slower = false;
  for (const auto& one : cases) {
    absl::FPrintF(stderr, "measuring %s\n", one.name);
    auto ratios = set.Measure(one, UsualEffort());
    if (!ratios.ok()) return ratios.status();
    auto compared = Compare(*baseline, *ratios);
    if (!compared.ok()) return compared.status();
    const auto is_slower = [](const Comparison& c) { return c.verdict == Verdict::kSlower; };
    int again = 0;
    while (again < kMoreLooks && std::any_of(compared->begin(), compared->end(), is_slower)) {
      ++again;
      absl::FPrintF(stderr, "again, with new processes and %d times the rounds\n", kMoreRounds);
      Effort more = UsualEffort();
      more.rounds *= kMoreRounds;
      ratios = RegressionSet().Measure(one, more);
      if (!ratios.ok()) return ratios.status();
      compared = Compare(*baseline, *ratios);
      if (!compared.ok()) return compared.status();
    }
    for (const Comparison& c : *compared) {
      slower |= is_slower(c);
      table.AddRow({c.name, absl::StrFormat("%.3f", c.old_ratio),
                    absl::StrFormat("%.3f", c.new_ratio), absl::StrFormat("%.3f", c.limit),
                    absl::StrCat(InWords(c.verdict), kAgain[again])});
    }
  }
  absl::PrintF("%s\n", table.ToString());
  if (!slower) {
    absl::PrintF("No regression.%s\n",
                 comparable ? "" : " (The baseline is from another kind of machine.)");
    return 0;
  }
  if (comparable) {
    absl::PrintF(
        "REGRESSION. If it is meant to be: ./bazelw run -c opt //bench:regression -- --update\n");
    return 1;
  }
  absl::PrintF(
      "No verdict: the baseline is from another kind of machine, where waking a core may cost "
      "something else. Measure one here, on an unchanged tree, with --update.\n");
  return 3;
}

absl::StatusOr<int> Coordinate() {
  if (absl::GetFlag(FLAGS_rounds) < 1 || absl::GetFlag(FLAGS_seconds) <= 0 ||
      absl::GetFlag(FLAGS_runs) < 1) {
    return absl::InvalidArgumentError("--rounds, --runs and --seconds must be above 0.");
  }
  if (!NewReport().optimized_build()) {
    absl::PrintF("NOT an optimized build: these ratios say nothing; use -c opt.\n");
  }
  // GRPC_CXL_SPIN_US would make all wait policies the same.
  if (const auto waits = Waits("cxl", {"adaptive", "park"}); !waits.ok()) return waits.status();
  const auto cases = WantedCases();
  if (!cases.ok()) return cases.status();
  return absl::GetFlag(FLAGS_update) ? Update(*cases) : CompareWithBaseline(*cases);
}

}  // namespace
}  // namespace grpc_cxl::bench

int main(int argc, char** argv) {
  using namespace grpc_cxl::bench;  // NOLINT: the main() of these
  EchoWorkload echo;
  return BenchMain(argc, argv,
                   {.name = "regression",
                    .usage = "tells whether calls have become slower than bench/baseline.json",
                    .roles = {{"server", [&] { return ServerMain(echo); }},
                              {"client", [&] { return ClientMain(echo); }}},
                    .coordinate = Coordinate,
                    .exit_code_of_errors = 2});
}
