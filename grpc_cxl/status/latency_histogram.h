// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_STATUS_LATENCY_HISTOGRAM_H_
#define GRPC_CXL_STATUS_LATENCY_HISTOGRAM_H_

#include <algorithm>
#include <cstdint>

#include "grpc_cxl/base/counter.h"
#include "grpc_cxl/status/latency_buckets.h"

namespace grpc_cxl::internal {

// Latencies, counted. Two locked additions each. Thread-safe but for AddAlone().
class LatencyHistogram {
 public:
  void Add(int64_t ns) {
    ns = std::max<int64_t>(ns, 0);
    counts_[LatencyBucket(ns)].Add();
    sum_ns_.Add(static_cast<uint64_t>(ns));
  }
  // As Counter's.
  void AddAlone(int64_t ns) {
    ns = std::max<int64_t>(ns, 0);
    counts_[LatencyBucket(ns)].AddAlone();
    sum_ns_.AddAlone(static_cast<uint64_t>(ns));
  }

  uint64_t count(size_t bucket) const { return counts_[bucket]; }
  uint64_t sum_ns() const { return sum_ns_; }

 private:
  Counter counts_[kLatencyBuckets];
  Counter sum_ns_;
};

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_STATUS_LATENCY_HISTOGRAM_H_
