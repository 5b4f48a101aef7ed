// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_COMPARE_RATIO_H_
#define GRPC_CXL_BENCH_COMPARE_RATIO_H_

#include "absl/types/span.h"

namespace grpc_cxl::bench {

// The same figure of two builds, measured one right after the other. The lower, the better.
struct FigurePair {
  double a = 0, b = 0;  // above 0
};

// The median of the b divided by the median of the a, and a confidence interval for it.
struct Ratio {
  double estimate = 0;
  double low = 0, high = 0;  // 0 and infinity: too few pairs for this confidence
};

// A percentile bootstrap over pairs: what disturbs the machine for longer than a pair takes
// disturbs both its figures, and leaves the ratio alone. (B. Efron, R. Tibshirani: An Introduction
// to the Bootstrap, 1993, chapters 8 and 13.) The bounds are one-sided: the true ratio is below
// `low` with a probability of about `alpha_low`, and above `high` with `alpha_high`. The
// pseudo-random numbers are the same in every run.
//
// n pairs cannot tell more than that they all are on one side of the median, which is so by
// chance with a probability of 2^-n: a bound with a smaller alpha does not exist.
Ratio EstimateRatio(absl::Span<const FigurePair> pairs, double alpha_low, double alpha_high,
                    int resamples = 20'000);

enum class Verdict { kNotSlower, kSlower, kUndecided };

// What a session of many decisions promises.
struct Judge {
  double limit = 1.10;  // a higher ratio is a regression
  double alpha = 0.01;  // 1 - confidence
  int figures = 1;      // that are judged in the session
  int looks = 1;        // at most so often at each, every time with more pairs

  // kSlower: the ratio is above the limit. That any figure of the session gets this verdict
  // wrongly has at most the probability `alpha`, since each look at each figure has an equal part
  // of it (Bonferroni).
  // kNotSlower: the ratio is below the limit. A session says "no regression" when *all* figures
  // have this verdict, so more figures do not make a wrong one likelier, and `alpha` is divided by
  // the looks alone.
  Verdict Decide(absl::Span<const FigurePair> pairs, Ratio& ratio, int resamples = 20'000) const;
};

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_COMPARE_RATIO_H_
