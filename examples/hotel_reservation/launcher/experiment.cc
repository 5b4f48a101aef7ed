#include "examples/hotel_reservation/launcher/experiment.h"

#include <algorithm>
#include <cmath>

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

// To two digits, so that the tables are easy to read.
double Round(double per_second) {
  const double unit = std::pow(10, std::floor(std::log10(per_second)) - 1);
  return std::round(per_second / unit) * unit;
}

class Ladder {
 public:
  Ladder(Cluster& cluster, const Effort& effort, Progress& progress, TransportReport& report)
      : cluster_(cluster), effort_(effort), progress_(progress), report_(report) {}

  absl::Status Climb() {
    double offered = effort_.first_per_s;
    while (offered < kHighestPerS) {
      const absl::StatusOr<bool> kept_up = Step(offered);
      if (!kept_up.ok()) return kept_up.status();
      if (!*kept_up) break;
      offered *= kGrowth;
    }
    for (int i = 0; i < kHalvings && highest_ > 0; ++i) {
      const double middle = (highest_ + offered) / 2;
      const absl::StatusOr<bool> kept_up = Step(middle);
      if (!kept_up.ok()) return kept_up.status();
      if (!*kept_up) offered = middle;
    }
    std::sort(report_.mutable_ladder()->begin(), report_.mutable_ladder()->end(),
              [](const LoadResult& a, const LoadResult& b) {
                return a.offered_per_s() < b.offered_per_s();
              });
    return absl::OkStatus();
  }

 private:
  // A step that does not keep up gets a second chance: other programs disturb, too.
  absl::StatusOr<bool> Step(double offered) {
    offered = Round(offered);
    LoadResult best;
    for (int attempt = 0; attempt < 2; ++attempt) {
      progress_.Show(report_.transport(), absl::StrFormat("%.0f requests/s", offered));
      absl::StatusOr<LoadResult> result = RunLoad(
          cluster_,
          {.per_second = offered, .warmup_s = effort_.step_s / 3, .seconds = effort_.step_s});
      if (!result.ok()) return result.status();
      if (attempt == 0 || KeepsUp(*result)) best = *std::move(result);
      if (KeepsUp(best)) break;
    }
    if (KeepsUp(best)) {
      highest_ = std::max(highest_, offered);
      report_.set_highest_served_per_s(
          std::max(report_.highest_served_per_s(), best.served_per_s()));
    }
    const bool kept_up = KeepsUp(best);
    *report_.add_ladder() = std::move(best);
    return kept_up;
  }

  Cluster& cluster_;
  const Effort effort_;
  Progress& progress_;
  TransportReport& report_;
  double highest_ = 0;  // offered, of the steps that kept up
};

}  // namespace

absl::StatusOr<TransportReport> MeasureTransport(Cluster& cluster, const Effort& effort,
                                                 double same_load_per_s, Progress& progress) {
  TransportReport report;
  report.set_transport(cluster.addresses().transport());
  report.set_killed(kVictim);
  if (absl::Status climbed = Ladder(cluster, effort, progress, report).Climb(); !climbed.ok()) {
    return climbed;
  }
  if (same_load_per_s == 0) {
    same_load_per_s = Round(std::max(report.highest_served_per_s() / 2, effort.first_per_s / 4));
  }
  progress.Show(report.transport(), absl::StrFormat("the same load, %.0f/s", same_load_per_s));
  absl::StatusOr<LoadResult> same = RunLoad(
      cluster,
      {.per_second = same_load_per_s, .warmup_s = effort.step_s / 2, .seconds = effort.step_s * 3});
  if (!same.ok()) return same.status();
  *report.mutable_same_load() = *std::move(same);

  progress.Show(report.transport(), "a service is killed");
  absl::StatusOr<LoadResult> kill = RunLoad(cluster, {.per_second = same_load_per_s / 2,
                                                      .warmup_s = effort.step_s / 2,
                                                      .seconds = effort.step_s * 2,
                                                      .kill = kVictim,
                                                      .kill_after_s = effort.step_s / 2});
  if (!kill.ok()) return kill.status();
  *report.mutable_kill() = *std::move(kill);
  return report;
}

}  // namespace hotel_reservation
