// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_DOORBELL_WAIT_HISTOGRAM_H_
#define GRPC_CXL_DOORBELL_WAIT_HISTOGRAM_H_

#include <cstdint>

namespace grpc_cxl::internal {

// How long the last waits were, in 16 classes by powers of two: below 1 us, below 2 us, ... below
// 16 ms, and longer. Each new wait takes 1/48 of the weight from those before it. In nanoseconds.
// Not thread-safe.
class WaitHistogram {
 public:
  void Add(int64_t wait_ns);

  // The mean of the waits that are shorter than `limit_ns`; `limit_ns` if there are none.
  double MeanBelow(int64_t limit_ns) const;

  // A spin that is a little longer than at least `part` of the waits; INT64_MAX if there are none.
  int64_t Most(double part) const;

  // The spin, at most `most_ns`, with the least mean cost, and that cost. A wait costs what is
  // spun in it, and `sleep_cost_ns` more if it is longer than the spin.
  struct Choice {
    int64_t spin_ns = 0;
    double cost_ns = 0;
  };
  Choice Cheapest(double sleep_cost_ns, int64_t most_ns) const;

 private:
  static constexpr int kClasses = 16;
  struct Class {
    float count = 0;
    float sum = 0;      // of the waits
    float longest = 0;  // of the last ones
  };

  // A little longer than the longest: the next ones differ.
  static int64_t Spin(const Class& its) {
    return static_cast<int64_t>(its.longest + its.longest / 8);
  }

  Class classes_[kClasses];
  // Instead of all counts becoming smaller, that of each new wait is larger than the last one's.
  float weight_ = 1;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_DOORBELL_WAIT_HISTOGRAM_H_
