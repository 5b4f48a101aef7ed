// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_STATUS_LATENCY_BUCKETS_H_
#define GRPC_CXL_STATUS_LATENCY_BUCKETS_H_

#include <cstddef>
#include <cstdint>

// Buckets of latencies: four for each doubling from 1.024 us to 1.07 s, so that each is at most a
// quarter wider than its lower bound; one below and one above.
namespace grpc_cxl::internal {

inline constexpr int kLeastLatencyLog = 10;  // 2^10 ns
inline constexpr int kMostLatencyLog = 30;   // 2^30 ns
inline constexpr size_t kLatencyBuckets = 2 + 4 * (kMostLatencyLog - kLeastLatencyLog);

constexpr size_t LatencyBucket(int64_t ns) {
  if (ns < int64_t{1} << kLeastLatencyLog) return 0;
  if (ns >= int64_t{1} << kMostLatencyLog) return kLatencyBuckets - 1;
  const int log = 63 - __builtin_clzll(static_cast<uint64_t>(ns));
  return 1 + 4 * (log - kLeastLatencyLog) + static_cast<size_t>((ns >> (log - 2)) & 3);
}

// The first nanosecond that is beyond the bucket; the last bucket has no such bound.
constexpr int64_t LatencyBound(size_t bucket) {
  if (bucket == 0) return int64_t{1} << kLeastLatencyLog;
  if (bucket >= kLatencyBuckets - 1) return INT64_MAX;
  const int log = kLeastLatencyLog + static_cast<int>((bucket - 1) / 4);
  return static_cast<int64_t>(5 + (bucket - 1) % 4) << (log - 2);
}

}  // namespace grpc_cxl::internal

#endif  // GRPC_CXL_STATUS_LATENCY_BUCKETS_H_
