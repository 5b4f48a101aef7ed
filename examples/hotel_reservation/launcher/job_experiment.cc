// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/launcher/job_experiment.h"

#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "bench/report/table.h"
#include "examples/hotel_reservation/launcher/figures.h"
#include "examples/hotel_reservation/launcher/load_run.h"

namespace hotel_reservation {
namespace {

struct Phase {
  const char* name;
  LoadResult JobRound::*result;
  bool job, priorities, capacity;
};

constexpr Phase kPhases[] = {
    {"no job", &JobRound::alone, false, false, true},
    {"a job, with priorities", &JobRound::urgent, true, true, true},
    {"a job, without priorities", &JobRound::alike, true, false, true},
    {"the same, and without a capacity", &JobRound::without, true, false, false},
};

using OfRound = std::function<double(const JobRound&)>;

double Median(const std::vector<JobRound>& rounds, const OfRound& figure) {
  std::vector<double> values;
  for (const JobRound& round : rounds) values.push_back(figure(round));
  return SpreadOf(std::move(values)).median();
}

double Ratio(double of, double to) { return to == 0 ? 0 : of / to; }

}  // namespace

absl::StatusOr<std::vector<JobRound>> MeasureJob(Cluster& limited, Cluster& unlimited,
                                                 const JobOptions& options, Progress& progress) {
  std::vector<JobRound> rounds(options.rounds);
  for (int round = 0; round < options.rounds; ++round) {
    for (const Phase& phase : kPhases) {
      Cluster& cluster = phase.capacity ? limited : unlimited;
      progress.Show(cluster.label(), absl::StrFormat("round %d, %s", round + 1, phase.name));
      const absl::StatusOr<LoadResult> result =
          RunLoad(cluster, {.per_second = options.per_second,
                            .seconds = options.run_s,
                            .deadline_s = 10,  // late answers count as well
                            .scan = phase.job ? options.searches : 0,
                            .priorities = phase.priorities});
      if (!result.ok()) return result.status();
      rounds[round].*phase.result = *result;
      if (absl::Status idle = cluster.AwaitIdle(); !idle.ok()) return idle;
    }
  }
  return rounds;
}

std::string JobTable(absl::string_view title, const std::vector<JobRound>& rounds) {
  grpc_cxl::bench::Table table(
      {"requests beside", "p50 ms", "p99 ms", "p50 / no job", "p99 / no job", "errors",
       "job, searches/s", "/ no priorities", "/ no capacity"},
      1);
  for (const Phase& phase : kPhases) {
    const auto cell = [&](int digits, const OfRound& figure) {
      return absl::StrFormat("%.*f", digits, Median(rounds, figure));
    };
    const auto its = [&phase](const JobRound& round) -> const LoadResult& {
      return round.*phase.result;
    };
    const auto job = [&](int digits, const OfRound& figure) {
      return phase.job ? cell(digits, figure) : "-";
    };
    table.AddRow(
        {phase.name, cell(3, [&](const JobRound& r) { return its(r).p50_ms(); }),
         cell(3, [&](const JobRound& r) { return its(r).p99_ms(); }),
         cell(2, [&](const JobRound& r) { return Ratio(its(r).p50_ms(), r.alone.p50_ms()); }),
         cell(2, [&](const JobRound& r) { return Ratio(its(r).p99_ms(), r.alone.p99_ms()); }),
         cell(0, [&](const JobRound& r) { return its(r).errors(); }),
         job(0, [&](const JobRound& r) { return its(r).scan_per_s(); }),
         job(2,
             [&](const JobRound& r) { return Ratio(its(r).scan_per_s(), r.alike.scan_per_s()); }),
         job(2, [&](const JobRound& r) {
           return Ratio(its(r).scan_per_s(), r.without.scan_per_s());
         })});
  }
  return absl::StrCat(title, "\n", table.ToString());
}

}  // namespace hotel_reservation
