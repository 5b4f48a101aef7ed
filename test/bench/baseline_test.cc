// SPDX-License-Identifier: Apache-2.0
// Proves how the regression check judges: limits from the spread of runs, verdicts on both sides
// of them, and a clear sentence for a bad baseline.

#include "bench/baseline/baseline.h"

#include <fstream>
#include <string>

#include "bench/report/report.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::bench {
namespace {

using testing::HasSubstr;

TEST(CompareTest, AllowsTheToleranceAndNoMore) {
  Baseline baseline;
  Expectation& expectation = *baseline.add_expectations();
  expectation.set_name("a");
  expectation.set_ratio(0.2);
  expectation.set_tolerance(0.5);
  const std::pair<double, Verdict> verdicts[] = {{0.2, Verdict::kOk},
                                                 {0.29, Verdict::kOk},
                                                 {0.31, Verdict::kSlower},
                                                 {0.14, Verdict::kOk},
                                                 {0.13, Verdict::kFaster}};
  for (const auto& [measured, verdict] : verdicts) {
    const auto compared = Compare(baseline, {{"a", measured}});
    ASSERT_TRUE(compared.ok()) << compared.status();
    EXPECT_EQ(compared->front().verdict, verdict) << measured;
    EXPECT_EQ(compared->front().old_ratio, 0.2);
    EXPECT_DOUBLE_EQ(compared->front().limit, 0.3);
  }
  EXPECT_THAT(std::string(Compare(baseline, {{"b", 0.2}}).status().message()),
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
  // One disturbed run of four is forgiven.
  const Baseline four = MakeBaseline({{{"a", 1}}, {{"a", 9}}, {{"a", 1.1}}, {{"a", 1}}});
  EXPECT_DOUBLE_EQ(four.expectations(0).ratio(), 1.1);
  EXPECT_DOUBLE_EQ(four.expectations(0).spread(), 0);
}

TEST(ReadBaselineTest, ReadsWhatWasWrittenOrSaysWhatIsWrong) {
  const internal::TemporaryDirectory directory;
  const std::string file = directory.path() + "/baseline.json";
  ASSERT_TRUE(WriteJson(MakeBaseline({{{"a", 0.25}}}), file).ok());
  const auto baseline = ReadBaseline(file);
  ASSERT_TRUE(baseline.ok()) << baseline.status();
  EXPECT_EQ(baseline->expectations(0).ratio(), 0.25);
  EXPECT_TRUE(SameKind(baseline->machine(), ThisMachine()));

  EXPECT_THAT(std::string(ReadBaseline("/nonexistent.json").status().message()),
              HasSubstr("There is no baseline /nonexistent.json. Measure one"));
  const std::pair<std::string, std::string> damages[] = {
      {"{", "is damaged"},
      {"{\"surprise\": 1}", "surprise"},
      {"{}", "expects nothing"},
      {R"({"expectations": [{"name": "a", "ratio": 0, "tolerance": 1}]})", "not above 0 for 'a'"},
      {R"({"expectations": [{"name": "a", "ratio": 1, "tolerance": 1},
                            {"name": "a", "ratio": 1, "tolerance": 1}]})",
       "has 'a' twice"}};
  for (const auto& [json, text] : damages) {
    std::ofstream(file) << json;
    EXPECT_THAT(std::string(ReadBaseline(file).status().message()), HasSubstr(text));
  }
}

}  // namespace
}  // namespace grpc_cxl::bench
