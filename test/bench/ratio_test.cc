// SPDX-License-Identifier: Apache-2.0
// Proves by simulation what the regression check promises: intervals contain the true ratio as
// often as they say, also with heavy tails and a machine that drifts; a session of many figures
// and looks hardly ever cries wolf; and it finds a shift of 15 %.

#include "bench/compare/ratio.h"

#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace grpc_cxl::bench {
namespace {

// The factor by which a measurement misses the true figure.
using Noise = std::function<double(std::mt19937&)>;

Noise LogNormal(double sigma) {
  return [sigma](std::mt19937& random) {
    return std::exp(std::normal_distribution<double>(0, sigma)(random));
  };
}

// Another program comes along in one of seven runs.
double HeavyTail(std::mt19937& random) {
  const double factor = LogNormal(0.05)(random);
  return random() % 7 == 0 ? factor * (1.5 + random() % 8) : factor;
}

std::vector<FigurePair> Simulate(size_t pairs, double ratio, const Noise& noise,
                                 std::mt19937& random, std::vector<FigurePair> before = {}) {
  while (before.size() < pairs) {
    const double drift = 1 + 0.1 * std::sin(before.size() / 5.0);  // of the machine
    before.push_back({100 * drift * noise(random), 100 * drift * ratio * noise(random)});
  }
  return before;
}

TEST(EstimateRatioTest, CoversTheTrueRatio) {
  std::mt19937 random(7);
  for (const Noise& noise : {LogNormal(0.02), LogNormal(0.2), Noise(HeavyTail)}) {
    for (const size_t pairs : {16, 33}) {
      constexpr int kTrials = 300;
      int too_low = 0, too_high = 0;
      for (int i = 0; i < kTrials; ++i) {
        const Ratio ratio =
            EstimateRatio(Simulate(pairs, 1.2, noise, random), 0.05, 0.05, /*resamples=*/400);
        EXPECT_LE(ratio.low, ratio.estimate);
        EXPECT_GE(ratio.high, ratio.estimate);
        too_low += ratio.high < 1.2;
        too_high += ratio.low > 1.2;
      }
      for (const int wrong : {too_low, too_high}) EXPECT_LE(wrong, 0.085 * kTrials) << pairs;
    }
  }
}

TEST(EstimateRatioTest, HasNoBoundWithTooFewPairs) {
  const std::vector<FigurePair> pairs(6, {1, 2});
  const Ratio ratio = EstimateRatio(pairs, 0.01, 0.02);
  EXPECT_EQ(ratio.estimate, 2);
  EXPECT_EQ(ratio.low, 0);   // 2^-6 is more than 0.01
  EXPECT_EQ(ratio.high, 2);  // and less than 0.02
}

// The verdict on one figure after as many looks as it takes.
Verdict Session(const Judge& judge, double ratio, const Noise& noise, std::mt19937& random) {
  Verdict verdict = Verdict::kUndecided;
  std::vector<FigurePair> pairs;
  for (const size_t look : {16, 32, 64}) {
    Ratio interval;
    pairs = Simulate(look, ratio, noise, random, std::move(pairs));
    verdict = judge.Decide(pairs, interval, /*resamples=*/2000);
    if (verdict != Verdict::kUndecided) break;
  }
  return verdict;
}

// Even at the limit itself, where there is nothing to spare.
TEST(JudgeTest, HardlyEverCriesWolf) {
  const Judge judge{.figures = 10, .looks = 3};
  std::mt19937 random(3);
  int slower = 0, passed = 0, wrong = 0;
  for (int i = 0; i < 150; ++i) {
    const Noise noise = i % 2 ? LogNormal(0.05) : Noise(HeavyTail);
    const Verdict same = Session(judge, 1, noise, random);
    slower += same == Verdict::kSlower;
    passed += same == Verdict::kNotSlower;
    wrong += Session(judge, judge.limit, noise, random) == Verdict::kSlower;
  }
  EXPECT_EQ(slower, 0);
  EXPECT_GE(passed, 142);
  EXPECT_LE(wrong, 1);  // 150 figures are 15 sessions: 0.15 are expected
}

TEST(JudgeTest, FindsAShiftOf15Percent) {
  const Judge judge{.figures = 16, .looks = 3};
  std::mt19937 random(5);
  int slower = 0;
  for (int i = 0; i < 60; ++i) {
    const Verdict verdict = Session(judge, 1.15, LogNormal(0.02), random);
    slower += verdict == Verdict::kSlower;
    EXPECT_NE(verdict, Verdict::kNotSlower);
  }
  EXPECT_GE(slower, 48);
}

TEST(JudgeTest, SaysWhenItIsTooNoisyToTell) {
  std::mt19937 random(5);
  EXPECT_EQ(Session({.figures = 16, .looks = 3}, 1.05, LogNormal(1), random), Verdict::kUndecided);
}

}  // namespace
}  // namespace grpc_cxl::bench
