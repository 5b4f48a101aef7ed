// SPDX-License-Identifier: Apache-2.0
#include "bench/roles/latency_breakdown.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bench/roles/echo_caller.h"
#include "bench/roles/measure.h"

namespace grpc_cxl::bench {
namespace {

int64_t Now() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

absl::StatusOr<LatencyParts> MeasureLatencyBreakdown(Echo::Stub& stub,
                                                     const LatencyBreakdown& what) {
  Payload request, response;
  request.set_data(std::string(what.size_bytes(), 'x'));
  request.set_stamp(true);
  std::vector<double> there, handler, back;
  for (uint32_t i = 0; i < what.calls() + what.calls() / 10; ++i) {
    const int64_t start = Now();
    grpc::ClientContext context;
    SetUpContext(&context);
    const grpc::Status status = stub.Call(&context, request, &response);
    const int64_t end = Now();
    if (!status.ok()) return CallFailed(status);
    if (i < what.calls() / 10) continue;
    there.push_back((response.entered_ns() - start) / 1e3);
    handler.push_back((response.left_ns() - response.entered_ns()) / 1e3);
    back.push_back((end - response.left_ns()) / 1e3);
  }
  LatencyParts parts;
  parts.set_there_us(Median(std::move(there)));
  parts.set_handler_us(Median(std::move(handler)));
  parts.set_back_us(Median(std::move(back)));
  return parts;
}

}  // namespace grpc_cxl::bench
