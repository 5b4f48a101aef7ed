// Proves what the regression check does with its flags, its file and Ctrl-C, in a few calls:
// a tree compared with itself on whatever machine this is. Its figures are the matter of
// slow_doorbell_test, which needs an optimized build and a quiet machine.

#include <signal.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/baseline/baseline.h"
#include "bench/harness/temporary_directory.h"
#include "bench/report/report.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/bench/program.h"

namespace grpc_cxl::bench {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kRegression[] = "bench/regression";

class RegressionTest : public testing::Test {
 protected:
  std::string file() const { return directory_->path() + "/baseline.json"; }

  // Other tests may run beside this one, which must not matter here.
  std::unique_ptr<Program> Run(std::vector<std::string> flags, double max_neighbours = 1) {
    flags.insert(flags.end(), {"--cases=sync 64 B", "--rounds=1", "--seconds=0.02",
                               absl::StrCat("--max_neighbours=", max_neighbours)});
    return Program::Start(kRegression, flags);
  }

  // As if every call had taken so many times as long as it does, or a fraction of it.
  void WriteBaseline(double ratio, const std::string& cpu) {
    Baseline baseline;
    *baseline.mutable_machine() = ThisMachine();
    if (!cpu.empty()) baseline.mutable_machine()->set_cpu(cpu);
    for (const std::string pair : {"cxl_direct adaptive", "cxl_direct park", "cxl park"}) {
      Expectation& expectation = *baseline.add_expectations();
      expectation.set_name(absl::StrCat("sync 64 B, ", pair));
      expectation.set_ratio(ratio);
      expectation.set_tolerance(1);
      *baseline.add_expectations() = expectation;
      baseline.mutable_expectations()->rbegin()->set_name(expectation.name() + ", CPU");
    }
    ASSERT_TRUE(WriteJson(baseline, file()).ok());
  }

  absl::StatusOr<TemporaryDirectory> directory_ = TemporaryDirectory::Create();
};

TEST_F(RegressionTest, WritesABaseline) {
  const auto update = Run({"--update", "--runs=2", "--baseline=" + file()});
  ASSERT_EQ(update->Wait(), 0) << update->output();
  const auto baseline = ReadBaseline(file());
  ASSERT_TRUE(baseline.ok()) << baseline.status();
  ASSERT_EQ(baseline->expectations_size(), 6);
  EXPECT_EQ(baseline->expectations(0).name(), "sync 64 B, cxl_direct adaptive");
  EXPECT_GT(baseline->expectations(0).ratio(), 0);
  EXPECT_EQ(baseline->expectations(1).name(), "sync 64 B, cxl_direct adaptive, CPU");
  EXPECT_GT(baseline->expectations(1).ratio(), 0);
  EXPECT_EQ(baseline->runs(), 2u);
  EXPECT_THAT(update->Files(), IsEmpty());
}

TEST_F(RegressionTest, PassesWhatIsFastEnough) {
  WriteBaseline(1e3, "");
  const auto check = Run({"--baseline=" + file()});
  EXPECT_EQ(check->Wait(), 0) << check->output();
  EXPECT_THAT(check->output(), HasSubstr("No regression."));
  for (const std::string what : {"cxl park", "cxl park, CPU"}) {
    EXPECT_THAT(check->output(),
                ContainsRegex(what + " +1000.000 +[0-9.]+ +2000.000 +[0-9]+ % +faster"));
  }
}

TEST_F(RegressionTest, FailsWhatIsTooSlowAtEveryLook) {
  WriteBaseline(1e-3, "");
  const auto check = Run({"--baseline=" + file()});
  EXPECT_EQ(check->Wait(), 1) << check->output();
  EXPECT_THAT(check->output(),
              ContainsRegex("cxl park +0.001 +[0-9.]+ +0.002 +[0-9]+ % +SLOWER [(]measured "
                            "twice again[)]"));
  EXPECT_THAT(check->output(), HasSubstr("REGRESSION."));
}

TEST_F(RegressionTest, GivesNoVerdictAgainstAnotherMachine) {
  WriteBaseline(1e-3, "Z80");
  const auto check = Run({"--baseline=" + file()});
  EXPECT_EQ(check->Wait(), 3) << check->output();
  EXPECT_THAT(check->output(), HasSubstr("No verdict: the baseline is from another kind"));
}

// Keeps every core of the machine busy while it lives.
class BusyMachine {
 public:
  BusyMachine() {
    for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i) {
      threads_.emplace_back([this] {
        while (!done_.load(std::memory_order_relaxed)) {
        }
      });
    }
  }
  ~BusyMachine() {
    done_.store(true, std::memory_order_relaxed);  // read by the threads; orders nothing
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  std::atomic<bool> done_ = false;
  std::vector<std::thread> threads_;
};

TEST_F(RegressionTest, GivesNoVerdictOnABusyMachine) {
  WriteBaseline(1e-3, "");
  const BusyMachine busy;
  const auto check = Run({"--baseline=" + file()}, /*max_neighbours=*/0.1);
  EXPECT_EQ(check->Wait(), 3) << check->output();
  EXPECT_THAT(check->output(), HasSubstr("No verdict: others used more than 10 % of this machine"));
}

TEST_F(RegressionTest, WritesNoBaselineOfABusyMachine) {
  const BusyMachine busy;
  const auto update = Run({"--update", "--baseline=" + file()}, /*max_neighbours=*/0.1);
  EXPECT_EQ(update->Wait(), 2) << update->output();
  EXPECT_THAT(update->output(),
              ContainsRegex("Others used [0-9]+ % of this machine while 'sync 64"));
  EXPECT_FALSE(std::filesystem::exists(file()));
}

// What it says of so few calls means nothing; that it is a verdict does.
TEST_F(RegressionTest, CommittedBaselineKnowsEveryCase) {
  const auto check = Program::Start(
      kRegression, {"--baseline=bench/baseline.json", "--rounds=1", "--seconds=0.01"});
  EXPECT_THAT(check->Wait(), testing::AnyOf(0, 1, 3)) << check->output();
  EXPECT_THAT(check->output(), HasSubstr("callback 64 B, 64 in flight, cxl adaptive"));
}

TEST_F(RegressionTest, EndsAtCtrlC) {
  WriteBaseline(1e3, "");
  const auto check =
      Program::Start(kRegression, {"--baseline=" + file(), "--seconds=60", "--cases=sync 64 B"});
  ASSERT_EQ(check->Processes("--role=server", 1).size(), 1u) << "it does not measure";
  kill(check->pid(), SIGINT);
  EXPECT_EQ(check->Wait(), 130);
  EXPECT_THAT(check->output(), HasSubstr("regression: Interrupted."));
  EXPECT_THAT(check->Processes("", 0), IsEmpty());
  EXPECT_THAT(check->Files(), IsEmpty());
}

TEST_F(RegressionTest, RefusesAnEnvironmentThatChangesTheWaitPolicies) {
  WriteBaseline(1e3, "");
  setenv("GRPC_CXL_SPIN_US", "0", /*overwrite=*/1);
  const auto check = Run({"--baseline=" + file()});
  unsetenv("GRPC_CXL_SPIN_US");
  EXPECT_EQ(check->Wait(), 2);
  EXPECT_THAT(check->output(), HasSubstr("GRPC_CXL_SPIN_US overrides every --wait"));
}

TEST_F(RegressionTest, SaysWhyItCannotMeasure) {
  const auto missing = Run({"--baseline=" + file()});
  EXPECT_EQ(missing->Wait(), 2);
  EXPECT_THAT(missing->output(), HasSubstr("regression: There is no baseline " + file()));

  const auto unknown = Program::Start(kRegression, {"--cases=carrier pigeon"});
  EXPECT_EQ(unknown->Wait(), 2);
  EXPECT_THAT(unknown->output(),
              HasSubstr("regression: There is no case 'carrier pigeon'; there are sync 64 B,"));

  const auto rounds = Program::Start(kRegression, {"--rounds=0"});
  EXPECT_EQ(rounds->Wait(), 2);
  EXPECT_THAT(rounds->output(), HasSubstr("must be above 0."));
}

}  // namespace
}  // namespace grpc_cxl::bench
