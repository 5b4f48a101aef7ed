// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/launcher/experiment.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "examples/hotel_reservation/launcher/figures.h"
#include "examples/hotel_reservation/launcher/load_run.h"
#include "examples/hotel_reservation/launcher/load_search.h"
#include "examples/hotel_reservation/launcher/other_programs.h"

namespace hotel_reservation {
namespace {

constexpr char kVictim[] = "rate";

// To the next of few values, so that runs of the demo compare at the same load.
double Round(double per_second) {
  const double unit = std::pow(10, std::floor(std::log10(per_second)));
  double best = unit;
  for (const double value : {1.5, 2.0, 3.0, 5.0, 7.0, 10.0}) {
    if (per_second * per_second > best * value * unit) best = value * unit;  // above their middle
  }
  return best;
}

class Experiment {
 public:
  Experiment(const std::vector<std::unique_ptr<Cluster>>& clusters, const Effort& effort,
             Progress& progress, Report& report)
      : clusters_(clusters), effort_(effort), progress_(progress), report_(report) {}

  absl::Status Run() {
    for (const std::unique_ptr<Cluster>& cluster : clusters_) {
      TransportReport& transport = *report_.add_transports();
      transport.set_transport(cluster->label());
      transport.set_killed(kVictim);
    }
    const OtherPrograms others(clusters_);
    std::vector<LoadSearch> searches(clusters_.size(), LoadSearch::Coarse());
    if (absl::Status found = SearchInTurns("rough search", 0.5, searches); !found.ok()) {
      return found;
    }
    report_.set_same_load_per_s(Round(searches[0].Middle() / 2));
    absl::Duration pass_took;
    for (int pass = 1;
         AnotherPass(report_, Seconds(absl::Now() - start_), Seconds(pass_took),
                     effort_.limit_s - clusters_.size() * kKillSteps * effort_.step_s);
         ++pass) {
      const absl::Time pass_start = absl::Now();
      if (absl::Status measured = MeasurePass(pass, searches); !measured.ok()) return measured;
      pass_took = absl::Now() - pass_start;
    }
    report_.set_others_cpu_share(others.Share());
    return KillAService();
  }

 private:
  static constexpr double kKillSteps = 2.5;  // length of the run in which a service is killed

  static double Seconds(absl::Duration duration) { return absl::ToDoubleSeconds(duration); }

  // Begins at what `searches` found, and replaces them.
  absl::Status MeasurePass(int pass, std::vector<LoadSearch>& searches) {
    std::vector<LoadSearch> fine;
    for (const LoadSearch& search : searches) fine.push_back(LoadSearch::Fine(search.Middle()));
    searches = std::move(fine);
    const std::string name = absl::StrFormat("pass %d", pass);
    if (absl::Status found = SearchInTurns(name, 1, searches); !found.ok()) {
      return found;
    }
    for (size_t i = 0; i < clusters_.size(); ++i) {
      absl::StatusOr<LoadResult> result = Offer(name, i,
                                                {.per_second = report_.same_load_per_s(),
                                                 .warmup_s = effort_.step_s / 4,
                                                 .seconds = effort_.step_s * 1.5});
      if (!result.ok()) return result.status();
      Pass& added = *report_.mutable_transports(i)->add_passes();
      added.set_most_served_per_s(searches[i].highest());
      *added.mutable_same_load() = *std::move(result);
    }
    return absl::OkStatus();
  }

  // The steps have a share of their length. Too high a load lets latency grow all the time, so that
  // the limit has the same share.
  absl::Status SearchInTurns(const std::string& name, double share,
                             std::vector<LoadSearch>& searches) {
    const double step_s = effort_.step_s * share, limit_ms = kP99LimitMs * share;
    bool done = false;
    while (!done) {
      done = true;
      for (size_t i = 0; i < clusters_.size(); ++i) {
        if (searches[i].done()) continue;
        done = false;
        const absl::StatusOr<LoadResult> step = Offer(name, i,
                                                      {.per_second = searches[i].offered(),
                                                       .warmup_s = step_s / 4,
                                                       .seconds = step_s,
                                                       .deadline_s = 0.5,
                                                       .p99_limit_ms = limit_ms});
        if (!step.ok()) return step.status();
        const StepVerdict verdict = Judge(*step, limit_ms);
        searches[i].Record(verdict);
        *report_.mutable_transports(i)->add_steps() = *step;
        if (verdict == StepVerdict::kKeptUp) continue;
        if (absl::Status idle = clusters_[i]->AwaitIdle(); !idle.ok()) return idle;
      }
    }
    return absl::OkStatus();
  }

  absl::Status KillAService() {
    for (size_t i = 0; i < clusters_.size(); ++i) {
      absl::StatusOr<LoadResult> result = Offer("a service is killed", i,
                                                {.per_second = report_.same_load_per_s() / 2,
                                                 .warmup_s = effort_.step_s / 2,
                                                 .seconds = effort_.step_s * (kKillSteps - 0.5),
                                                 .kill = kVictim,
                                                 .kill_after_s = effort_.step_s / 2});
      if (!result.ok()) return result.status();
      *report_.mutable_transports(i)->mutable_kill() = *std::move(result);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<LoadResult> Offer(const std::string& name, size_t i, const LoadOptions& options) {
    progress_.Show(report_.transports(i).transport(),
                   absl::StrFormat("%s, %.0f requests/s", name, options.per_second));
    return RunLoad(*clusters_[i], options);
  }

  const std::vector<std::unique_ptr<Cluster>>& clusters_;
  const Effort effort_;
  const absl::Time start_ = absl::Now();
  Progress& progress_;
  Report& report_;
};

}  // namespace

absl::Status MeasureInTurns(const std::vector<std::unique_ptr<Cluster>>& clusters,
                            const Effort& effort, Progress& progress, Report& report) {
  return Experiment(clusters, effort, progress, report).Run();
}

}  // namespace hotel_reservation
