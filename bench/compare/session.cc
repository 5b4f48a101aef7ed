// SPDX-License-Identifier: Apache-2.0
#include "bench/compare/session.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "bench/compare/ratio.h"
#include "bench/report/report.h"

namespace grpc_cxl::bench {
namespace {

// Numbers of pairs to judge. The last look is sooner when the time is over.
constexpr int kLooks[] = {16, 32, 64, 128};

struct Figure {
  std::string name, unit;
  double (*of)(const Row&);
};

// A pair that spins has no CPU time: it takes as much as its latency, and more for every other
// program that it waits for. Copies are counted, not timed; one is added, since there may be none.
const Figure kFigures[] = {
    {"p50", "us", [](const Row& row) { return row.p50_us(); }},
    {"CPU", "us", [](const Row& row) { return row.wait() == "spin" ? 0 : row.cpu_us_per_call(); }},
    {"1 + copies", "", [](const Row& row) {
       constexpr uint32_t kLarge = 16 << 10;
       const bool counted = row.has_copies_there() && row.size_bytes() >= kLarge;
       return counted ? 1 + (row.copies_there() + row.copies_back()) / 2 : 0;
     }}};

struct Measured {
  ComparedCase what;
  std::vector<FigurePair> pairs[std::size(kFigures)] = {};  // empty: the case has no such figure
  std::optional<ComparedFigure> decided[std::size(kFigures)] = {};
  std::string skipped = {};  // why

  bool Done() const {
    if (!skipped.empty()) return true;
    bool all = !pairs[0].empty();
    for (size_t i = 0; i < std::size(kFigures); ++i) {
      if (decided[i] && decided[i]->verdict() == kSlowerFigure) return true;
      if (!pairs[i].empty() && !decided[i]) all = false;
    }
    return all;
  }
};

class Session {
 public:
  explicit Session(const SessionOptions& options) : options_(options) {
    for (const ComparedCase& one : options.cases) cases_.push_back({.what = one});
    judge_.figures = std::size(kFigures) * cases_.size();
    judge_.looks = std::size(kLooks);
  }

  absl::StatusOr<Comparison> Run() {
    const absl::Time end = absl::Now() + options_.budget;
    int pairs = 0;
    for (const int look : kLooks) {
      for (; pairs < look && absl::Now() < end; ++pairs) {
        for (Measured& one : cases_) {
          if (one.Done()) continue;
          if (absl::Status added = AddPair(one, /*b_first=*/pairs % 2 == 1); !added.ok()) {
            return added;
          }
        }
      }
      const int open = JudgeAll();
      absl::FPrintF(stderr, "after %d pairs: %d of %d cases are decided\n", pairs,
                    cases_.size() - open, cases_.size());
      if (open == 0 || absl::Now() >= end) break;
    }
    return Result();
  }

 private:
  absl::Status AddPair(Measured& one, bool b_first) {
    absl::StatusOr<Row> a, b;
    if (b_first) b = RunOne(options_.program_b, one.what);
    if (!b_first || b.ok()) a = RunOne(options_.program_a, one.what);
    if (!b_first && !absl::IsCancelled(a.status())) b = RunOne(options_.program_b, one.what);
    for (const auto& row : {a, b}) {
      if (absl::IsCancelled(row.status())) return row.status();
    }
    if (!b.ok()) return b.status();
    if (!a.ok()) {
      one.skipped = a.status().message();
      return absl::OkStatus();
    }
    for (size_t i = 0; i < std::size(kFigures); ++i) {
      const FigurePair pair{kFigures[i].of(*a), kFigures[i].of(*b)};
      if (pair.a > 0 && pair.b > 0) one.pairs[i].push_back(pair);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Row> RunOne(const std::string& program, const ComparedCase& what) const {
    return RunCase(program, what, options_.seconds, options_.directory);
  }

  // Returns how many cases are not decided.
  int JudgeAll() {
    int open = 0;
    for (Measured& one : cases_) {
      if (!one.skipped.empty()) continue;
      for (size_t i = 0; i < std::size(kFigures); ++i) {
        if (one.pairs[i].empty() || one.decided[i]) continue;
        ComparedFigure figure = Judged(one, i);
        if (figure.verdict() != kUndecidedFigure) one.decided[i] = std::move(figure);
      }
      open += !one.Done();
    }
    return open;
  }

  ComparedFigure Judged(const Measured& one, size_t i) const {
    Ratio ratio;
    const Verdict verdict = judge_.Decide(one.pairs[i], ratio);
    ComparedFigure figure;
    figure.set_case_name(one.what.name);
    figure.set_figure(kFigures[i].name);
    figure.set_unit(kFigures[i].unit);
    figure.set_ratio(ratio.estimate);
    figure.set_low(ratio.low);
    if (std::isfinite(ratio.high)) figure.set_high(ratio.high);
    figure.set_verdict(verdict == Verdict::kSlower      ? kSlowerFigure
                       : verdict == Verdict::kUndecided ? kUndecidedFigure
                                                        : "ok");
    for (const FigurePair& pair : one.pairs[i]) {
      figure.add_a(pair.a);
      figure.add_b(pair.b);
    }
    figure.set_median_a(MedianOf(figure.a()));
    figure.set_median_b(MedianOf(figure.b()));
    return figure;
  }

  template <typename Values>
  static double MedianOf(const Values& values) {
    std::vector<double> sorted(values.begin(), values.end());
    std::sort(sorted.begin(), sorted.end());
    const size_t n = sorted.size();
    return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
  }

  absl::StatusOr<Comparison> Result() const {
    Comparison result;
    result.set_machine(MachineLine(NewReport()));
    result.set_limit(judge_.limit);
    result.set_confidence(1 - judge_.alpha);
    bool slower = false, undecided = false;
    for (const Measured& one : cases_) {
      if (!one.skipped.empty()) {
        SkippedCase& skipped = *result.add_skipped();
        skipped.set_case_name(one.what.name);
        skipped.set_why(one.skipped);
        continue;
      }
      for (size_t i = 0; i < std::size(kFigures); ++i) {
        if (one.pairs[i].empty()) continue;
        ComparedFigure& figure = *result.add_figures();
        figure = one.decided[i] ? *one.decided[i] : Judged(one, i);
        slower |= figure.verdict() == kSlowerFigure;
        undecided |= figure.verdict() == kUndecidedFigure;
      }
    }
    if (result.figures().empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat("Nothing could be compared: the older build runs none of the cases. ",
                       result.skipped(0).why()));
    }
    result.set_verdict(slower ? kRegression : undecided ? kTooNoisy : kNoRegression);
    return result;
  }

  const SessionOptions& options_;
  std::vector<Measured> cases_;
  Judge judge_;
};

}  // namespace

absl::StatusOr<Comparison> Compare(const SessionOptions& options) { return Session(options).Run(); }

}  // namespace grpc_cxl::bench
