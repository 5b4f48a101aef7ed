// SPDX-License-Identifier: Apache-2.0
// Proves without a clock that the search for the highest load is stable on a machine that stalls
// now and then, and that a machine whose passes differ is called too busy to tell.

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "examples/hotel_reservation/launcher/figures.h"
#include "examples/hotel_reservation/launcher/load_search.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hotel_reservation {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// Keeps up below a capacity that is not sharp, and stalls in some of the steps. In a pass, other
// programs take up to a share of it.
class Machine {
 public:
  Machine(double capacity, double stalls, double others, int seed)
      : capacity_(capacity), stalls_(stalls), others_(others), random_(seed) {}

  void NewPass() { left_ = 1 - others_ * uniform_(random_); }

  StepVerdict Step(double offered) {
    if (uniform_(random_) < stalls_) {
      return uniform_(random_) < 0.5 ? StepVerdict::kGeneratorLate : StepVerdict::kTooHigh;
    }
    const double distance = std::log(offered / (capacity_ * left_)) / 0.02;
    return uniform_(random_) > 1 / (1 + std::exp(-distance)) ? StepVerdict::kKeptUp
                                                             : StepVerdict::kTooHigh;
  }

 private:
  const double capacity_, stalls_, others_;
  double left_ = 1;
  std::mt19937 random_;
  std::uniform_real_distribution<double> uniform_{0, 1};
};

double Find(LoadSearch& search, Machine& machine) {
  int steps = 0;
  while (!search.done() && ++steps < 100) search.Record(machine.Step(search.offered()));
  EXPECT_LT(steps, 100);
  return search.highest();
}

// What the demo does: a search from far away, then passes near what the last one found.
Report Measure(double capacity, double stalls, double others, int seed, int passes) {
  Machine machine(capacity, stalls, others, seed);
  Report report;
  TransportReport& tcp = *report.add_transports();
  tcp.set_transport("tcp");
  LoadSearch coarse = LoadSearch::Coarse();
  Find(coarse, machine);
  double start = coarse.Middle();
  for (int pass = 0; pass < passes; ++pass) {
    machine.NewPass();
    LoadSearch fine = LoadSearch::Fine(start);
    tcp.add_passes()->set_most_served_per_s(Find(fine, machine));
    start = fine.Middle();
  }
  AddFigures(report);
  return report;
}

double MostServed(const Report& report) {
  return report.transports(0).figures().rbegin()->value().median();
}

TEST(LoadSearchTest, FiveRunsAgreeOnAMachineThatStalls) {
  int agree = 0, told = 0;
  for (int group = 0; group < 100; ++group) {
    std::vector<double> runs;
    for (int run = 0; run < 5; ++run) {
      const Report report = Measure(4200, 0.15, 0, group * 5 + run, 4);
      runs.push_back(MostServed(report));
      told += report.too_busy().empty();
    }
    const auto [low, high] = std::minmax_element(runs.begin(), runs.end());
    agree += *high <= *low * 1.15;
    EXPECT_NEAR(runs[0], 4200, 0.15 * 4200) << group;
  }
  EXPECT_GE(agree, 97);
  EXPECT_GE(told, 430);  // of 500
}

TEST(LoadSearchTest, AMachineThatOthersUseIsTooBusyToTell) {
  int told = 0;
  for (int run = 0; run < 100; ++run) told += Measure(4200, 0.1, 0.6, run, 4).too_busy().empty();
  EXPECT_LE(told, 10);
}

TEST(LoadSearchTest, EndsWhereNothingOrEverythingIsServed) {
  Machine dead(1, 0, 0, 1), fast(1e7, 0, 0, 1);
  LoadSearch down = LoadSearch::Fine(400), up = LoadSearch::Coarse();
  EXPECT_EQ(Find(down, dead), 0);
  EXPECT_GT(Find(up, fast), 100'000);
}

TEST(LoadSearchTest, AStepOfALateGeneratorDoesNotCount) {
  LoadSearch search = LoadSearch::Fine(1000);
  for (const StepVerdict verdict :
       {StepVerdict::kGeneratorLate, StepVerdict::kTooHigh, StepVerdict::kKeptUp}) {
    EXPECT_EQ(search.offered(), 1000);
    search.Record(verdict);
  }
  EXPECT_EQ(search.highest(), 1000);
  LoadSearch late = LoadSearch::Fine(1000);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(late.offered(), 1000);
    late.Record(StepVerdict::kGeneratorLate);
  }
  EXPECT_LT(late.offered(), 1000);
}

TEST(LoadSearchTest, JudgesAStep) {
  LoadResult step;
  step.set_p99_ms(100);
  EXPECT_EQ(Judge(step, 100), StepVerdict::kKeptUp);
  step.set_p99_ms(101);
  EXPECT_EQ(Judge(step, 100), StepVerdict::kTooHigh);
  step.set_send_lag_p99_ms(51);
  EXPECT_EQ(Judge(step, 100), StepVerdict::kGeneratorLate);
  step = LoadResult();
  step.set_errors(1);
  EXPECT_EQ(Judge(step, 100), StepVerdict::kTooHigh);
}

// A report with these passes; `p50` falls as most served grows.
Report WithPasses(const std::vector<double>& tcp, const std::vector<double>& cxl) {
  Report report;
  for (const auto& [name, values] : {std::pair("tcp", tcp), std::pair("cxl", cxl)}) {
    TransportReport& transport = *report.add_transports();
    transport.set_transport(name);
    for (const double value : values) {
      Pass& pass = *transport.add_passes();
      pass.set_most_served_per_s(value);
      pass.mutable_same_load()->set_p50_ms(10'000 / value);
    }
  }
  return report;
}

TEST(FiguresTest, AreMediansWithTheirSpread) {
  Report report = WithPasses({4000, 4200, 4100, 9000, 10}, {8000, 8400, 8200, 18000, 20});
  AddFigures(report);
  EXPECT_THAT(report.too_busy(), IsEmpty());
  const TransportReport& cxl = report.transports(1);
  const Figure& most = *cxl.figures().rbegin();
  EXPECT_EQ(most.name(), "most served/s");
  EXPECT_EQ(most.value().median(), 8200);
  EXPECT_EQ(most.value().lowest(), 8000);  // of five passes, two do not count
  EXPECT_EQ(most.value().highest(), 8400);
  EXPECT_EQ(most.to_tcp().median(), 2);
  EXPECT_EQ(most.to_tcp().highest(), 2);
  EXPECT_EQ(cxl.same_load().p50_ms(), 10'000 / 8200.0);
}

TEST(FiguresTest, SayThatTheMachineIsTooBusy) {
  Report report = WithPasses({4000, 4700, 4200}, {8000, 8100, 8200});
  AddFigures(report);
  EXPECT_THAT(report.too_busy(),
              ElementsAre("this machine is too busy to tell: most served of tcp lay between 4000 "
                          "and 4700 in 3 passes"));
  EXPECT_TRUE(report.transports(0).too_busy());
  EXPECT_FALSE(report.transports(1).too_busy());
  report = WithPasses({4000, 4000, 4000}, {8000, 8000, 8000});
  report.set_others_cpu_share(0.2);
  AddFigures(report);
  EXPECT_THAT(report.too_busy(), SizeIs(2));
  report = WithPasses({4000, 4000}, {8000, 8000});
  AddFigures(report);
  EXPECT_THAT(report.too_busy(), SizeIs(2));
}

TEST(FiguresTest, APassIsRepeatedWhileItHelpsAndThereIsTime) {
  EXPECT_TRUE(AnotherPass(WithPasses({4000}, {8000}), 1000, 10, 60));
  EXPECT_TRUE(AnotherPass(WithPasses({4000, 4000}, {8000, 8000}), 50, 10, 60));
  EXPECT_FALSE(AnotherPass(WithPasses({4000, 4000}, {8000, 8000}), 51, 10, 60));
  EXPECT_FALSE(AnotherPass(WithPasses({4000, 4100, 4200}, {8000, 8000, 8000}), 10, 10, 60));
  EXPECT_TRUE(AnotherPass(WithPasses({4000, 4100, 4500}, {8000, 8000, 8000}), 50, 10, 60));
  EXPECT_FALSE(AnotherPass(WithPasses({4000, 4100, 4500}, {8000, 8000, 8000}), 51, 10, 60));
}

}  // namespace
}  // namespace hotel_reservation
