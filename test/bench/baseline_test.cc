// Proves how the regression check judges: limits from the spread of runs, what is slower and
// what is faster than they allow, and a clear sentence for a baseline that is no good.

#include "bench/baseline/baseline.h"

#include <fstream>
#include <string>
#include <vector>

#include "bench/harness/temporary_directory.h"
#include "bench/report/report.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grpc_cxl::bench {
namespace {

using testing::HasSubstr;

Baseline Expecting(double ratio, double tolerance) {
  Baseline baseline;
  Expectation& expectation = *baseline.add_expectations();
  expectation.set_name("a");
  expectation.set_ratio(ratio);
  expectation.set_tolerance(tolerance);
  return baseline;
}

Comparison CompareOne(const Baseline& baseline, double measured) {
  const auto compared = Compare(baseline, {{"a", measured}});
  EXPECT_TRUE(compared.ok()) << compared.status();
  return compared.ok() ? compared->front() : Comparison{};
}

TEST(CompareTest, AllowsTheToleranceAndNoMore) {
  const Baseline baseline = Expecting(0.2, 0.5);
  EXPECT_EQ(CompareOne(baseline, 0.2).verdict, Verdict::kOk);
  EXPECT_EQ(CompareOne(baseline, 0.29).verdict, Verdict::kOk);
  EXPECT_EQ(CompareOne(baseline, 0.31).verdict, Verdict::kSlower);
  EXPECT_EQ(CompareOne(baseline, 0.14).verdict, Verdict::kOk);
  EXPECT_EQ(CompareOne(baseline, 0.13).verdict, Verdict::kFaster);
  EXPECT_DOUBLE_EQ(CompareOne(baseline, 0.2).limit, 0.3);
}

TEST(CompareTest, RefusesARatioThatNobodyExpects) {
  const auto compared = Compare(Expecting(0.2, 0.5), {{"b", 0.2}});
  EXPECT_THAT(std::string(compared.status().message()),
              HasSubstr("The baseline knows no 'b'. Measure one"));
}

TEST(MakeBaselineTest, TakesMediansAndToleratesThreeSpreads) {
  const Baseline baseline = MakeBaseline({{{"steady", 0.1}, {"noisy", 0.5}, {"wild", 1}},
                                          {{"steady", 0.102}, {"noisy", 0.575}, {"wild", 9}},
                                          {{"steady", 0.09}, {"noisy", 0.4}, {"wild", 1}}});
  EXPECT_EQ(baseline.runs(), 3u);
  ASSERT_EQ(baseline.expectations_size(), 3);
  EXPECT_DOUBLE_EQ(baseline.expectations(0).ratio(), 0.1);
  EXPECT_DOUBLE_EQ(baseline.expectations(0).tolerance(), 0.35);  // the least
  EXPECT_DOUBLE_EQ(baseline.expectations(1).spread(), 0.15);
  EXPECT_DOUBLE_EQ(baseline.expectations(1).tolerance(), 0.45);
  EXPECT_DOUBLE_EQ(baseline.expectations(2).tolerance(), 0.6);  // the most
  EXPECT_TRUE(SameKind(baseline.machine(), ThisMachine()));
}

TEST(MakeBaselineTest, ForgivesOneDisturbedRunOfFour) {
  const Baseline baseline = MakeBaseline({{{"a", 1}}, {{"a", 9}}, {{"a", 1.1}}, {{"a", 1}}});
  EXPECT_DOUBLE_EQ(baseline.expectations(0).ratio(), 1.1);
  EXPECT_DOUBLE_EQ(baseline.expectations(0).spread(), 0);
}

TEST(SameKindTest, IsCoresAndProcessor) {
  const Machine here = ThisMachine();
  Machine other = here;
  other.set_kernel("Linux 9");
  EXPECT_TRUE(SameKind(here, other));
  other.set_cores(here.cores() + 1);
  EXPECT_FALSE(SameKind(here, other));
  other = here;
  other.set_cpu("Z80");
  EXPECT_FALSE(SameKind(here, other));
}

class ReadBaselineTest : public testing::Test {
 protected:
  std::string ErrorFor(const std::string& json) {
    const std::string file = directory_->path() + "/baseline.json";
    std::ofstream(file) << json;
    return std::string(ReadBaseline(file).status().message());
  }
  absl::StatusOr<TemporaryDirectory> directory_ = TemporaryDirectory::Create();
};

TEST_F(ReadBaselineTest, ReadsWhatWasWritten) {
  const std::string file = directory_->path() + "/baseline.json";
  ASSERT_TRUE(WriteJson(MakeBaseline({{{"a", 0.25}}}), file).ok());
  const auto baseline = ReadBaseline(file);
  ASSERT_TRUE(baseline.ok()) << baseline.status();
  EXPECT_EQ(CompareOne(*baseline, 0.25).old_ratio, 0.25);
}

TEST_F(ReadBaselineTest, SaysWhatIsWrong) {
  EXPECT_THAT(std::string(ReadBaseline("/nonexistent.json").status().message()),
              HasSubstr("There is no baseline /nonexistent.json. Measure one"));
  EXPECT_THAT(ErrorFor("{"), HasSubstr("is damaged"));
  EXPECT_THAT(ErrorFor("{\"surprise\": 1}"), HasSubstr("surprise"));
  EXPECT_THAT(ErrorFor("{}"), HasSubstr("expects nothing"));
  EXPECT_THAT(ErrorFor(R"({"expectations": [{"name": "a", "ratio": 0, "tolerance": 1}]})"),
              HasSubstr("not above 0 for 'a'"));
  EXPECT_THAT(ErrorFor(R"({"expectations": [{"name": "a", "ratio": 1, "tolerance": 1},
                                            {"name": "a", "ratio": 1, "tolerance": 1}]})"),
              HasSubstr("has 'a' twice"));
}

}  // namespace
}  // namespace grpc_cxl::bench
