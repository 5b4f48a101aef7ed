// SPDX-License-Identifier: Apache-2.0
#include "bench/baseline/baseline.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "bench/report/report.h"
#include "bench/roles/measure.h"
#include "google/protobuf/json/json.h"

namespace grpc_cxl::bench {
namespace {

constexpr char kHowToUpdate[] =
    "Measure one on an unchanged tree with: ./bazelw run -c opt //bench:regression -- --update";

double Rounded(double value) { return std::round(value * 1000) / 1000; }

absl::Status Invalid(const std::string& file, const std::string& why) {
  return absl::InvalidArgumentError(
      absl::StrCat("The baseline ", file, " ", why, ". ", kHowToUpdate));
}

}  // namespace

Machine ThisMachine() {
  const Report report = NewReport();
  Machine machine;
  machine.set_cores(report.cores());
  machine.set_cpu(report.cpu());
  machine.set_kernel(report.kernel());
  machine.set_grpc_version(report.grpc_version());
  return machine;
}

bool SameKind(const Machine& a, const Machine& b) {
  return a.cores() == b.cores() && a.cpu() == b.cpu();
}

Baseline MakeBaseline(absl::Span<const std::vector<MeasuredRatio>> runs) {
  constexpr double kSpreads = 3, kLeast = 0.35, kMost = 0.6;
  Baseline baseline;
  *baseline.mutable_machine() = ThisMachine();
  baseline.set_runs(runs.size());
  for (size_t i = 0; i < runs.front().size(); ++i) {
    std::vector<double> ratios;
    for (const auto& run : runs) ratios.push_back(run[i].ratio);
    std::sort(ratios.begin(), ratios.end());
    const double median = Median(ratios);
    const double highest = ratios[ratios.size() - (ratios.size() < 4 ? 1 : 2)];
    const double spread = highest / median - 1;
    Expectation& expectation = *baseline.add_expectations();
    expectation.set_name(runs.front()[i].name);
    expectation.set_ratio(Rounded(median));
    expectation.set_spread(Rounded(spread));
    expectation.set_tolerance(Rounded(std::clamp(kSpreads * spread, kLeast, kMost)));
  }
  return baseline;
}

absl::StatusOr<Baseline> ReadBaseline(const std::string& file) {
  std::ifstream in(file);
  std::ostringstream json;
  json << in.rdbuf();
  if (!in) {
    return absl::NotFoundError(absl::StrCat("There is no baseline ", file, ". ", kHowToUpdate));
  }
  Baseline baseline;
  const absl::Status parsed = google::protobuf::json::JsonStringToMessage(json.str(), &baseline);
  if (!parsed.ok()) return Invalid(file, absl::StrCat("is damaged: ", parsed.message()));
  if (baseline.expectations().empty()) return Invalid(file, "expects nothing");
  std::set<std::string> names;
  for (const Expectation& expectation : baseline.expectations()) {
    if (!names.insert(expectation.name()).second) {
      return Invalid(file, absl::StrCat("has '", expectation.name(), "' twice"));
    }
    if (!(expectation.ratio() > 0) || !(expectation.tolerance() > 0)) {
      return Invalid(file, absl::StrCat("has a ratio or a tolerance that is not above 0 for '",
                                        expectation.name(), "'"));
    }
  }
  return baseline;
}

absl::StatusOr<std::vector<Comparison>> Compare(const Baseline& baseline,
                                                absl::Span<const MeasuredRatio> measured) {
  std::map<std::string, const Expectation*> expected;
  for (const Expectation& expectation : baseline.expectations()) {
    expected[expectation.name()] = &expectation;
  }
  std::vector<Comparison> comparisons;
  for (const MeasuredRatio& one : measured) {
    const auto found = expected.find(one.name);
    if (found == expected.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("The baseline knows no '", one.name, "'. ", kHowToUpdate));
    }
    const double ratio = found->second->ratio(), factor = 1 + found->second->tolerance();
    Comparison& comparison = comparisons.emplace_back();
    comparison = {one.name, ratio, one.ratio, ratio * factor, Verdict::kOk};
    if (one.ratio > ratio * factor) comparison.verdict = Verdict::kSlower;
    if (one.ratio < ratio / factor) comparison.verdict = Verdict::kFaster;
  }
  return comparisons;
}

}  // namespace grpc_cxl::bench
