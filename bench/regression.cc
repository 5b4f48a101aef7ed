// SPDX-License-Identifier: Apache-2.0

// Checks whether calls have become slower, or take more CPU time, than bench/baseline.json says. It
// compares ratios to tcp and unix of the same run, because absolute times depend on the machine and
// on what else it does.
//
//   ./bazelw run -c opt //bench:regression
//   ./bazelw run -c opt //bench:regression -- --update     # on an unchanged tree
//
// Exit codes: 0 no regression; 1 a regression; 2 an error; 3 no verdict: a ratio is above its
// limit, but the baseline is from another kind of machine, or other programs used this one.

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
#include "bench/baseline/baseline.h"
#include "bench/baseline/regression_set.h"
#include "bench/harness/bench_main.h"
#include "bench/harness/transport.h"
#include "bench/report/report.h"
#include "bench/report/table.h"
#include "bench/roles/client_main.h"
#include "bench/roles/server_main.h"

using List = std::vector<std::string>;

ABSL_FLAG(bool, update, false, "measure a new baseline and write it, instead of comparing");
ABSL_FLAG(int, runs, 5, "runs of --update; the limits follow from their spread");
ABSL_FLAG(std::string, baseline, "", "the file; default: bench/baseline.json of the workspace");
ABSL_FLAG(List, cases, {}, "only cases whose name begins with one of these; default: all");
ABSL_FLAG(int, rounds, 7, "turns of each transport; figures are medians over them");
ABSL_FLAG(double, seconds, 0.2, "length of a turn");
ABSL_FLAG(double, max_neighbours, 0.15,
          "no verdict when other programs use more than this share of the machine, 0 to 1");

namespace grpc_cxl::bench {
namespace {

// A case above its limit counts only if all retries, with new processes and more rounds, agree.
constexpr int kMaxRetries = 2, kRetryRoundsFactor = 2;
constexpr const char* kRetried[kMaxRetries + 1] = {"", " (retried once)", " (retried twice)"};

// By default in the workspace of `bazel run`, else in the working directory.
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

bool Disturbed(const RegressionSet::Measured& measured) {
  return measured.neighbours.value_or(0) > absl::GetFlag(FLAGS_max_neighbours);
}

std::string NeighboursInWords(const RegressionSet::Measured& measured) {
  return measured.neighbours ? absl::StrFormat("%.0f %%", 100 * *measured.neighbours) : "?";
}

absl::StatusOr<int> Update(const std::vector<RegressionSet::CaseOfSet>& cases) {
  const std::string file = BaselineFile();
  std::vector<std::vector<MeasuredRatio>> runs(absl::GetFlag(FLAGS_runs));
  for (auto& run : runs) {
    RegressionSet set;  // new processes, as every comparison has
    for (const auto& one : cases) {
      const auto measured = set.Measure(one, UsualEffort());
      if (!measured.ok()) return measured.status();
      if (Disturbed(*measured)) {
        return absl::FailedPreconditionError(absl::StrCat(
            "Other programs used ", NeighboursInWords(*measured), " of this machine while '",
            one.name,
            "' was measured, which makes a bad baseline. End them and try again; nothing was "
            "written."));
      }
      run.insert(run.end(), measured->ratios.begin(), measured->ratios.end());
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

// A measurement of a case.
struct Trial {
  RegressionSet::Measured measured;
  std::vector<Comparison> comparisons;
  int retries = 0;  // before this trial

  bool Slower() const {
    return std::any_of(comparisons.begin(), comparisons.end(),
                       [](const Comparison& c) { return c.verdict == Verdict::kSlower; });
  }
};

absl::StatusOr<Trial> Try(RegressionSet& set, const RegressionSet::CaseOfSet& one,
                          const Effort& effort, const Baseline& baseline) {
  auto measured = set.Measure(one, effort);
  if (!measured.ok()) return measured.status();
  auto comparisons = Compare(baseline, measured->ratios);
  if (!comparisons.ok()) return comparisons.status();
  return Trial{*std::move(measured), *std::move(comparisons)};
}

// Tries a case until it is within its limits, or there are no more retries. Returns the last trial.
absl::StatusOr<Trial> TryRepeatedly(RegressionSet& set, const RegressionSet::CaseOfSet& one,
                                    const Baseline& baseline) {
  absl::FPrintF(stderr, "measuring %s\n", one.name);
  absl::StatusOr<Trial> trial = Try(set, one, UsualEffort(), baseline);
  Effort more = UsualEffort();
  more.rounds *= kRetryRoundsFactor;
  for (int retry = 1; retry <= kMaxRetries && trial.ok() && trial->Slower(); ++retry) {
    absl::FPrintF(stderr, "again, with new processes and %d times the rounds\n",
                  kRetryRoundsFactor);
    RegressionSet fresh;
    trial = Try(fresh, one, more, baseline);
    if (trial.ok()) trial->retries = retry;
  }
  return trial;
}

absl::StatusOr<int> CompareWithBaseline(const std::vector<RegressionSet::CaseOfSet>& cases) {
  const std::string file = BaselineFile();
  const absl::StatusOr<Baseline> baseline = ReadBaseline(file);
  if (!baseline.ok()) return baseline.status();
  const Machine machine = ThisMachine();
  const bool comparable = SameKind(machine, baseline->machine());
  absl::PrintF(
      "p50 and CPU time of a call, divided by the geometric mean of those over tcp and unix in\n"
      "the same run. Others: the share of the machine that other programs used meanwhile.\n"
      "this machine: %s\nbaseline:     %s\n\n",
      Describe(machine), Describe(baseline->machine()));
  std::fflush(stdout);

  RegressionSet set;
  Table table({"case", "old", "new", "limit", "others", "verdict"}, 1);
  bool slower = false, disturbed = false;
  for (const auto& one : cases) {
    const absl::StatusOr<Trial> trial = TryRepeatedly(set, one, *baseline);
    if (!trial.ok()) return trial.status();
    if (trial->Slower()) (Disturbed(trial->measured) ? disturbed : slower) = true;
    for (const Comparison& c : trial->comparisons) {
      table.AddRow({c.name, absl::StrFormat("%.3f", c.old_ratio),
                    absl::StrFormat("%.3f", c.new_ratio), absl::StrFormat("%.3f", c.limit),
                    NeighboursInWords(trial->measured),
                    absl::StrCat(InWords(c.verdict), kRetried[trial->retries])});
    }
  }
  absl::PrintF("%s\n", table.ToString());
  if (slower && comparable) {
    absl::PrintF(
        "REGRESSION. If it is intended: ./bazelw run -c opt //bench:regression -- --update\n");
    return 1;
  }
  if (slower) {
    absl::PrintF(
        "No verdict: the baseline is from another kind of machine, where waking a core may take "
        "another time. Measure a baseline here, on an unchanged tree, with --update.\n");
    return 3;
  }
  if (disturbed) {
    absl::PrintF(
        "No verdict: other programs used more than %.0f %% of this machine meanwhile. Run this "
        "when "
        "nothing else runs, after the tests and not beside them.\n",
        100 * absl::GetFlag(FLAGS_max_neighbours));
    return 3;
  }
  absl::PrintF("No regression.%s\n",
               comparable ? "" : " (The baseline is from another kind of machine.)");
  return 0;
}

absl::StatusOr<int> Coordinate() {
  if (absl::GetFlag(FLAGS_rounds) < 1 || absl::GetFlag(FLAGS_seconds) <= 0 ||
      absl::GetFlag(FLAGS_runs) < 1) {
    return absl::InvalidArgumentError("--rounds, --runs and --seconds must be above 0.");
  }
  if (!NewReport().optimized_build()) {
    absl::PrintF("NOT an optimized build: these ratios mean nothing; use -c opt.\n");
  }
  // Fails with GRPC_CXL_SPIN_US, which makes all wait policies the same.
  if (const auto waits = Waits("cxl", {"adaptive", "park"}); !waits.ok()) return waits.status();
  const auto cases = WantedCases();
  if (!cases.ok()) return cases.status();
  return absl::GetFlag(FLAGS_update) ? Update(*cases) : CompareWithBaseline(*cases);
}

}  // namespace
}  // namespace grpc_cxl::bench

int main(int argc, char** argv) {
  using namespace grpc_cxl::bench;  // NOLINT: main() is part of it
  return BenchMain(
      argc, argv,
      {.name = "regression",
       .usage = "checks whether calls have become slower than bench/baseline.json says",
       .roles = {{"server", ServerMain}, {"client", ClientMain}},
       .coordinate = Coordinate,
       .exit_code_of_errors = 2});
}
