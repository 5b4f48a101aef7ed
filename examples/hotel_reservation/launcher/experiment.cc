// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/launcher/experiment.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "examples/hotel_reservation/launcher/load_run.h"

namespace hotel_reservation {
namespace {

constexpr double kGrowth = 1.6;
constexpr int kHalvings = 2;
constexpr double kHighestPerS = 200'000;
constexpr char kVictim[] = "rate";

bool KeepsUp(const LoadResult& result) {
  return result.errors() == 0 && result.p99_ms() <= kP99LimitMs;
}

// To two digits, which are easy to read.
double Round(double per_second) {
  const double unit = std::pow(10, std::floor(std::log10(per_second)) - 1);
  return std::round(per_second / unit) * unit;
}

class Ladder {
 public:
  Ladder(Cluster& cluster, const Effort& effort, Progress& progress, TransportReport& report)
      : cluster_(cluster),
        effort_(effort),
        progress_(progress),
        report_(report),
        offered_(effort.first_per_s) {}

  bool done() const { return done_; }

  absl::Status Step() {
    const double offered = Round(offered_);
    const absl::StatusOr<LoadResult> result = Offer(offered);
    if (!result.ok()) return result.status();
    if (KeepsUp(*result)) {
      highest_ = std::max(highest_, offered);
      report_.set_highest_served_per_s(
          std::max(report_.highest_served_per_s(), result->served_per_s()));
    } else {
      too_high_ = offered;
    }
    *report_.add_ladder() = *result;
    ChooseNext();
    return absl::OkStatus();
  }

 private:
  void ChooseNext() {
    if (too_high_ == 0) {
      offered_ *= kGrowth;
      done_ = offered_ > kHighestPerS;
    } else if (highest_ > 0 && halvings_ < kHalvings) {
      ++halvings_;
      offered_ = (highest_ + too_high_) / 2;
    } else {
      done_ = true;
      std::sort(report_.mutable_ladder()->begin(), report_.mutable_ladder()->end(),
                [](const LoadResult& a, const LoadResult& b) {
                  return a.offered_per_s() < b.offered_per_s();
                });
    }
  }

  // Measures again when the services do not keep up, because another program may be the cause.
  absl::StatusOr<LoadResult> Offer(double per_second) {
    progress_.Show(report_.transport(), absl::StrFormat("%.0f requests/s", per_second));
    const LoadOptions options = {
        .per_second = per_second, .warmup_s = effort_.step_s / 3, .seconds = effort_.step_s};
    absl::StatusOr<LoadResult> first = RunLoad(cluster_, options);
    if (!first.ok() || KeepsUp(*first)) return first;
    absl::StatusOr<LoadResult> second = RunLoad(cluster_, options);
    return !second.ok() || KeepsUp(*second) ? second : first;
  }

  Cluster& cluster_;
  const Effort effort_;
  Progress& progress_;
  TransportReport& report_;
  double offered_;       // in the next step
  double highest_ = 0;   // offered, of the steps that kept up
  double too_high_ = 0;  // offered, of the lowest step that did not; 0: none yet
  int halvings_ = 0;
  bool done_ = false;
};

absl::Status Climb(const std::vector<std::unique_ptr<Cluster>>& clusters, const Effort& effort,
                   Progress& progress, Report& report) {
  std::vector<Ladder> ladders;
  for (size_t i = 0; i < clusters.size(); ++i) {
    ladders.emplace_back(*clusters[i], effort, progress, *report.mutable_transports(i));
  }
  bool done = false;
  while (!done) {
    done = true;
    for (Ladder& ladder : ladders) {
      if (ladder.done()) continue;
      if (absl::Status stepped = ladder.Step(); !stepped.ok()) return stepped;
      done = false;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status MeasureInTurns(const std::vector<std::unique_ptr<Cluster>>& clusters,
                            const Effort& effort, Progress& progress, Report& report) {
  for (const std::unique_ptr<Cluster>& cluster : clusters) {
    TransportReport& transport = *report.add_transports();
    transport.set_transport(cluster->addresses().transport());
    transport.set_killed(kVictim);
  }
  if (absl::Status climbed = Climb(clusters, effort, progress, report); !climbed.ok()) {
    return climbed;
  }
  const double same =
      Round(std::max(report.transports(0).highest_served_per_s() / 2, effort.first_per_s / 4));
  report.set_same_load_per_s(same);
  for (size_t i = 0; i < clusters.size(); ++i) {
    TransportReport& transport = *report.mutable_transports(i);
    progress.Show(transport.transport(), absl::StrFormat("the same load, %.0f/s", same));
    absl::StatusOr<LoadResult> result =
        RunLoad(*clusters[i],
                {.per_second = same, .warmup_s = effort.step_s / 2, .seconds = effort.step_s * 3});
    if (!result.ok()) return result.status();
    *transport.mutable_same_load() = *std::move(result);
  }
  for (size_t i = 0; i < clusters.size(); ++i) {
    TransportReport& transport = *report.mutable_transports(i);
    progress.Show(transport.transport(), "a service is killed");
    absl::StatusOr<LoadResult> result = RunLoad(*clusters[i], {.per_second = same / 2,
                                                               .warmup_s = effort.step_s / 2,
                                                               .seconds = effort.step_s * 2,
                                                               .kill = kVictim,
                                                               .kill_after_s = effort.step_s / 2});
    if (!result.ok()) return result.status();
    *transport.mutable_kill() = *std::move(result);
  }
  return absl::OkStatus();
}

}  // namespace hotel_reservation
