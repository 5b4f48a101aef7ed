// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_HARNESS_OPEN_LOOP_H_
#define GRPC_CXL_BENCH_HARNESS_OPEN_LOOP_H_

#include <grpcpp/channel.h>

#include <chrono>
#include <memory>

namespace grpc_cxl::bench {

struct OpenLoop {
  double calls_per_second = 0;  // on average; the times between them are exponential
  double seconds = 0;
  std::chrono::milliseconds deadline{60'000};
};

// Latencies are those of calls that ended OK, and count from the moment at which a call was due.
struct OpenLoopFigures {
  double ok_per_second = 0;
  double p50_ms = 0, p99_ms = 0;
  // Calls that ended RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED, or otherwise; of all.
  double refused = 0, late = 0, failed = 0;
};

// Makes calls of Echo.Call with 64 bytes in the callback API, whether or not earlier ones have
// ended, and waits for all of them.
OpenLoopFigures RunOpenLoop(const std::shared_ptr<grpc::Channel>& channel, const OpenLoop& loop);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_HARNESS_OPEN_LOOP_H_
