// SPDX-License-Identifier: Apache-2.0
#ifndef GRPC_CXL_BENCH_ROLES_TRAFFIC_H_
#define GRPC_CXL_BENCH_ROLES_TRAFFIC_H_

#include <optional>

#include "bench/harness/control.pb.h"
#include "bench/roles/echo.grpc.pb.h"

namespace grpc_cxl::bench {

// Bytes that grpc_cxl has moved and copied so far, in this process and in the server's.
struct Traffic {
  Counters client, server;
};

// nullopt when the server has received nothing through grpc_cxl.
std::optional<Traffic> TrafficSoFar(Echo::Stub& stub);

// Adds to `result` the copies per byte, and the waiting for emulated memory per call, of a round
// and its warm-up.
void AddTraffic(const Traffic& before, const Traffic& after, RoundResult* result);

}  // namespace grpc_cxl::bench

#endif  // GRPC_CXL_BENCH_ROLES_TRAFFIC_H_
