// SPDX-License-Identifier: Apache-2.0
#include "bench/compare/ratio.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "absl/log/check.h"

namespace grpc_cxl::bench {
namespace {

// The middle one, or the mean of the middle two. Reorders `values`.
double MedianInPlace(std::vector<double>& values) {
  const auto middle = values.begin() + values.size() / 2;
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

double RatioOfMedians(absl::Span<const FigurePair> pairs, std::vector<double>& a,
                      std::vector<double>& b) {
  a.clear();
  b.clear();
  for (const FigurePair& pair : pairs) {
    a.push_back(pair.a);
    b.push_back(pair.b);
  }
  return MedianInPlace(b) / MedianInPlace(a);
}

}  // namespace

Ratio EstimateRatio(absl::Span<const FigurePair> pairs, double alpha_low, double alpha_high,
                    int resamples) {
  CHECK(!pairs.empty() && resamples > 0);
  std::vector<double> a, b, ratios;
  Ratio ratio{RatioOfMedians(pairs, a, b), 0, std::numeric_limits<double>::infinity()};
  std::mt19937 random(1);
  std::vector<FigurePair> resample(pairs.size());
  for (int i = 0; i < resamples; ++i) {
    for (FigurePair& pair : resample) {
      pair = pairs[static_cast<uint64_t>(random()) * pairs.size() >> 32];
    }
    ratios.push_back(RatioOfMedians(resample, a, b));
  }
  std::sort(ratios.begin(), ratios.end());
  const double least_alpha = std::pow(0.5, pairs.size());
  const size_t last = ratios.size() - 1;
  if (alpha_low >= least_alpha) ratio.low = ratios[std::min<size_t>(alpha_low * resamples, last)];
  if (alpha_high >= least_alpha) {
    ratio.high = ratios[last - std::min<size_t>(alpha_high * resamples, last)];
  }
  return ratio;
}

Verdict Judge::Decide(absl::Span<const FigurePair> pairs, Ratio& ratio, int resamples) const {
  ratio = EstimateRatio(pairs, alpha / (looks * figures), alpha / looks, resamples);
  if (ratio.low > limit) return Verdict::kSlower;
  return ratio.high < limit ? Verdict::kNotSlower : Verdict::kUndecided;
}

}  // namespace grpc_cxl::bench
