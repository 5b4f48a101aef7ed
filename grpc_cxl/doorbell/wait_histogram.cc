// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/doorbell/wait_histogram.h"

#include <algorithm>
#include <bit>

namespace grpc_cxl::internal {
namespace {

constexpr float kGrowth = 1.0f / (1 - 1.0f / 48);
constexpr float kLargestWeight = 1e9f;

}  // namespace

void WaitHistogram::Add(int64_t wait_ns) {
  const auto micros = static_cast<uint64_t>(std::max<int64_t>(0, wait_ns)) / 1000;
  Class& its = classes_[std::min<int>(std::bit_width(micros), kClasses - 1)];
  const float wait = static_cast<float>(wait_ns);
  its.count += weight_;
  its.sum += weight_ * wait;
  // Sinks slowly to what the class's waits have become.
  its.longest = std::max(wait, its.longest - (its.longest - wait) / 64);
  weight_ *= kGrowth;
  if (weight_ < kLargestWeight) return;
  for (Class& each : classes_) {
    each.count /= weight_;
    each.sum /= weight_;
  }
  weight_ = 1;
}

double WaitHistogram::MeanBelow(int64_t limit_ns) const {
  double count = 0, sum = 0;
  for (const Class& each : classes_) {
    if (each.sum >= static_cast<float>(limit_ns) * each.count) continue;
    count += each.count;
    sum += each.sum;
  }
  return count > 0 ? sum / count : static_cast<double>(limit_ns);
}

int64_t WaitHistogram::Most(double part) const {
  double all = 0;
  for (const Class& each : classes_) all += each.count;
  double left = (1 - part) * all;
  for (int i = kClasses - 1; i >= 0; --i) {
    if (classes_[i].count == 0) continue;
    if (classes_[i].count > left) return Spin(classes_[i]);
    left -= classes_[i].count;
  }
  return INT64_MAX;
}

WaitHistogram::Choice WaitHistogram::Cheapest(double sleep_cost_ns, int64_t most_ns) const {
  double left = 0;  // of the weight: longer than the spin
  for (const Class& each : classes_) left += each.count;
  if (left == 0) return {0, sleep_cost_ns};
  const double all = left;
  Choice best{0, sleep_cost_ns * all};
  double found = 0;  // sum of the waits that end while spinning
  for (const Class& each : classes_) {
    if (each.count == 0) continue;
    const int64_t spin = Spin(each);
    if (spin > most_ns) break;
    found += each.sum;
    left = std::max(0.0, left - each.count);
    const double cost = found + left * (static_cast<double>(spin) + sleep_cost_ns);
    if (cost < best.cost_ns) best = {spin, cost};
  }
  best.cost_ns /= all;
  return best;
}

}  // namespace grpc_cxl::internal
