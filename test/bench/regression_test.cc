// SPDX-License-Identifier: Apache-2.0
// Proves how the regression check treats its flags, its baseline, a busy machine and Ctrl-C, with a
// few calls on any machine. slow_doorbell_test proves its figures.

#include <signal.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/baseline/baseline.h"
#include "bench/report/report.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/bench/program.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::bench {
namespace {

using internal::Program;
using testing::ContainsRegex;
using testing::HasSubstr;
using Flags = std::vector<std::string>;

constexpr char kRegression[] = "bench/regression";

class RegressionTest : public testing::Test {
 protected:
  // A short check against file(). Other tests may run beside this one, which must not matter.
  Flags Short(Flags flags = {}, double max_neighbours = 1) {
    flags.insert(flags.end(),
                 {"--cases=sync 64 B", "--rounds=1", "--seconds=0.02",
                  absl::StrCat("--max_neighbours=", max_neighbours), "--baseline=" + file()});
    return flags;
  }

  // As if every call had had this ratio on a machine with this processor; empty: this one.
  void WriteBaseline(double ratio, const std::string& cpu = "") {
    Baseline baseline;
    *baseline.mutable_machine() = ThisMachine();
    if (!cpu.empty()) baseline.mutable_machine()->set_cpu(cpu);
    for (const std::string contender : {"cxl_direct adaptive", "cxl_direct park", "cxl park"}) {
      for (const std::string figure : {"", ", CPU"}) {
        Expectation& expectation = *baseline.add_expectations();
        expectation.set_name(absl::StrCat("sync 64 B, ", contender, figure));
        expectation.set_ratio(ratio);
        expectation.set_tolerance(1);
      }
    }
    ASSERT_TRUE(WriteJson(baseline, file()).ok());
  }

  std::string file() const { return directory_.path() + "/baseline.json"; }

  const internal::TemporaryDirectory directory_;
};

TEST_F(RegressionTest, WritesABaseline) {
  Program update(kRegression, Short({"--update", "--runs=2"}));
  ASSERT_EQ(update.Wait(), 0) << update.output();
  const auto baseline = ReadBaseline(file());
  ASSERT_TRUE(baseline.ok()) << baseline.status();
  EXPECT_EQ(baseline->runs(), 2u);
  ASSERT_EQ(baseline->expectations_size(), 6);
  EXPECT_EQ(baseline->expectations(0).name(), "sync 64 B, cxl_direct adaptive");
  EXPECT_EQ(baseline->expectations(1).name(), "sync 64 B, cxl_direct adaptive, CPU");
  update.ExpectNothingLeft();
}

TEST_F(RegressionTest, JudgesByTheBaseline) {
  struct Judgement {
    double ratio;
    std::string cpu;
    int exit_code;
    Flags texts;  // regular expressions
  };
  for (const Judgement& judgement : std::vector<Judgement>{
           {1e3,
            "",
            0,
            {"cxl park +1000.000 +[0-9.]+ +2000.000 +[0-9]+ % +faster",
             "cxl park, CPU +1000.000 +[0-9.]+ +2000.000 +[0-9]+ % +faster", "No regression."}},
           {1e-3,
            "",
            1,
            {"cxl park +0.001 +[0-9.]+ +0.002 +[0-9]+ % +SLOWER [(]retried twice[)]",
             "REGRESSION."}},
           {1e-3, "Z80", 3, {"No verdict: the baseline is from another kind"}}}) {
    WriteBaseline(judgement.ratio, judgement.cpu);
    Program check(kRegression, Short());
    EXPECT_EQ(check.Wait(), judgement.exit_code) << check.output();
    for (const std::string& text : judgement.texts) {
      EXPECT_THAT(check.output(), ContainsRegex(text));
    }
  }
}

TEST_F(RegressionTest, GivesNoVerdictAndWritesNoBaselineOnABusyMachine) {
  std::atomic<bool> done = false;
  std::vector<std::thread> busy;
  for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i) {
    busy.emplace_back([&] {
      while (!done.load(std::memory_order_relaxed)) {  // orders nothing
      }
    });
  }
  WriteBaseline(1e-3);
  const std::string before = internal::Contents(file());
  Program check(kRegression, Short({}, /*max_neighbours=*/0.1));
  EXPECT_EQ(check.Wait(), 3) << check.output();
  EXPECT_THAT(check.output(),
              HasSubstr("No verdict: other programs used more than 10 % of this machine"));
  Program update(kRegression, Short({"--update"}, /*max_neighbours=*/0.1));
  EXPECT_EQ(update.Wait(), 2) << update.output();
  EXPECT_THAT(update.output(),
              ContainsRegex("Other programs used [0-9]+ % of this machine while 'sync 64"));
  EXPECT_EQ(internal::Contents(file()), before);
  done.store(true, std::memory_order_relaxed);
  for (std::thread& thread : busy) thread.join();
}

// The verdict after so few calls means nothing, but there is a verdict.
TEST_F(RegressionTest, CommittedBaselineKnowsEveryCase) {
  Program check(kRegression, {"--baseline=bench/baseline.json", "--rounds=1", "--seconds=0.01"});
  EXPECT_THAT(check.Wait(), testing::AnyOf(0, 1, 3)) << check.output();
  EXPECT_THAT(check.output(), HasSubstr("callback 64 B, 64 in flight, cxl adaptive"));
}

TEST_F(RegressionTest, EndsAtCtrlC) {
  WriteBaseline(1e3);
  Program check(kRegression, {"--baseline=" + file(), "--seconds=60", "--cases=sync 64 B"});
  ASSERT_EQ(check.child().Processes("--role=server", 1).size(), 1u) << "it does not measure";
  kill(check.child().pid(), SIGINT);
  EXPECT_EQ(check.Wait(), 130);
  EXPECT_THAT(check.output(), HasSubstr("regression: Interrupted."));
  check.ExpectNothingLeft();
}

TEST_F(RegressionTest, SaysWhyItCannotMeasure) {
  const auto expect = [](Program check, const std::string& text) {
    EXPECT_EQ(check.Wait(), 2);
    EXPECT_THAT(check.output(), HasSubstr("regression: " + text));
  };
  expect({kRegression, Short()}, "There is no baseline " + file());
  expect({kRegression, {"--cases=carrier pigeon"}},
         "There is no case 'carrier pigeon'; there are sync 64 B,");
  expect({kRegression, {"--rounds=0"}}, "--rounds, --runs and --seconds must be above 0.");
  expect({kRegression, Short(), {{"GRPC_CXL_SPIN_US", "0"}}},
         "GRPC_CXL_SPIN_US overrides every --wait");
}

}  // namespace
}  // namespace grpc_cxl::bench
