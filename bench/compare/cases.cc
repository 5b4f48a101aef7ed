// SPDX-License-Identifier: Apache-2.0
#include "bench/compare/cases.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "bench/compare/command.h"
#include "google/protobuf/json/json.h"

namespace grpc_cxl::bench {
namespace {

// A run has so many turns. Other users of a machine make a turn slower, never quicker, and stay for
// some of them: the figures of a run are the lower quartiles. A build that is slower in less than
// three of four turns is not found out.
constexpr int kRounds = 8;

using Flags = std::vector<std::string>;

Flags MakeFlags(const std::string& transport, const std::string& wait, const std::string& api,
                const std::string& size, const std::string& concurrency = "1") {
  return {"--transports=" + transport, "--wait=" + wait, "--apis=" + api, "--sizes=" + size,
          "--concurrency=" + concurrency};
}

// Each process on cores of its own, so that the scheduler does not choose anew in every run.
Flags Pinned(Flags flags) {
  if (std::thread::hardware_concurrency() > 1) flags.push_back("--pin=yes");
  return flags;
}

double LowerQuartile(std::vector<double> values) {
  const auto quarter = values.begin() + (values.size() - 1) / 4;
  std::nth_element(values.begin(), quarter, values.end());
  return *quarter;
}

// An older rpc_bench gives medians alone.
void TakeLowerQuartiles(Row& row) {
  const auto& p50 = row.p50_us_of_rounds();
  const auto& cpu = row.cpu_us_per_call_of_rounds();
  if (!p50.empty()) row.set_p50_us(LowerQuartile({p50.begin(), p50.end()}));
  if (!cpu.empty()) row.set_cpu_us_per_call(LowerQuartile({cpu.begin(), cpu.end()}));
}

}  // namespace

const std::vector<ComparedCase>& ComparedCases() {
  static const auto* const kCases = new std::vector<ComparedCase>{
      {"direct 64 B", Pinned(MakeFlags("cxl_direct", "adaptive", "sync", "64"))},
      {"direct 64 B spinning", Pinned(MakeFlags("cxl_direct", "spin", "sync", "64"))},
      {"direct 64 B parking", MakeFlags("cxl_direct", "park", "sync", "64")},
      {"direct 64 B 64 in flight",
       Pinned(MakeFlags("cxl_direct", "adaptive", "callback", "64", "64"))},
      {"HTTP/2 64 B parking", Pinned(MakeFlags("cxl", "park", "sync", "64"))},
      {"direct 64 KiB spinning", Pinned(MakeFlags("cxl_direct", "spin", "sync", "65536"))},
      {"pingpong 64 KiB spinning", Pinned(MakeFlags("cxl", "spin", "pingpong", "65536"))},
      {"stream 64 KiB", Pinned(MakeFlags("cxl", "adaptive", "stream", "65536"))},
  };
  return *kCases;
}

absl::StatusOr<std::vector<ComparedCase>> ComparedCases(const std::vector<std::string>& prefixes) {
  if (prefixes.empty()) return ComparedCases();
  std::vector<ComparedCase> cases;
  for (const std::string& prefix : prefixes) {
    const size_t before = cases.size();
    Flags names;
    for (const ComparedCase& one : ComparedCases()) {
      names.push_back(one.name);
      if (one.name.starts_with(prefix)) cases.push_back(one);
    }
    if (cases.size() == before) {
      return absl::InvalidArgumentError(absl::StrCat(
          "There is no case '", prefix, "'; there are: ", absl::StrJoin(names, "; "), "."));
    }
  }
  return cases;
}

absl::StatusOr<Row> RunCase(const std::string& program, const ComparedCase& what, double seconds,
                            const std::string& directory) {
  const std::string file = directory + "/rows.json";
  std::remove(file.c_str());
  Command command{.argv = {program, absl::StrCat("--rounds=", kRounds),
                           absl::StrCat("--seconds=", seconds / kRounds),
                           absl::StrCat("--json=", file)}};
  command.argv.insert(command.argv.end(), what.flags.begin(), what.flags.end());
  const absl::StatusOr<CommandResult> run = Run(command);
  if (!run.ok()) return run.status();
  if (!run->ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat(program, " ended with ", run->exit_code, ": ", run->output));
  }
  std::ostringstream json;
  json << std::ifstream(file).rdbuf();
  Report report;
  google::protobuf::json::ParseOptions options;
  options.ignore_unknown_fields = true;  // the other build may be newer
  const absl::Status parsed =
      google::protobuf::json::JsonStringToMessage(json.str(), &report, options);
  if (!parsed.ok() || report.rows_size() != 1 || !(report.rows(0).p50_us() > 0)) {
    return absl::FailedPreconditionError(
        absl::StrCat(program, " did not write one row of figures: ", parsed.message()));
  }
  TakeLowerQuartiles(*report.mutable_rows(0));
  return report.rows(0);
}

}  // namespace grpc_cxl::bench
