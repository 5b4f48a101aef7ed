// SPDX-License-Identifier: Apache-2.0
#include "examples/hotel_reservation/launcher/load_search.h"

#include <algorithm>
#include <cmath>

namespace hotel_reservation {
namespace {

constexpr double kLowestPerS = 20, kHighestPerS = 200'000;
constexpr double kLargestFactor = 2;
constexpr int kFailures = 2;

}  // namespace

StepVerdict Judge(const LoadResult& step, double p99_limit_ms) {
  if (step.errors() == 0 && step.p99_ms() <= p99_limit_ms) return StepVerdict::kKeptUp;
  return step.send_lag_p99_ms() > p99_limit_ms / 2 ? StepVerdict::kGeneratorLate
                                                   : StepVerdict::kTooHigh;
}

void LoadSearch::Record(StepVerdict verdict) {
  if (verdict == StepVerdict::kKeptUp) {
    highest_ = offered_;
  } else {
    ++attempts_;
    if (verdict == StepVerdict::kTooHigh) ++failures_;
    if (failures_ < kFailures && attempts_ < rule_.attempts) return;
    too_high_ = offered_;
  }
  attempts_ = failures_ = 0;

  if (highest_ > 0 && too_high_ > 0) {
    done_ = too_high_ <= highest_ * rule_.resolution * 1.001;  // rounding
    offered_ = std::sqrt(highest_ * too_high_);
    return;
  }
  offered_ = highest_ > 0 ? offered_ * factor_ : offered_ / factor_;
  factor_ = std::min(factor_ * factor_, kLargestFactor);
  done_ = offered_ < kLowestPerS || offered_ > kHighestPerS;
}

double LoadSearch::Middle() const {
  if (highest_ == 0 || too_high_ == 0) return std::max(highest_, kLowestPerS);
  return std::sqrt(highest_ * too_high_);
}

}  // namespace hotel_reservation
