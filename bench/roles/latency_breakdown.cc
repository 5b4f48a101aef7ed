#include "bench/roles/latency_breakdown.h"

#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/roles/measure.h"

namespace grpc_cxl::bench {
namespace {

int64_t Now() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

absl::StatusOr<BrokenDown> MeasureParts(Caller& caller, uint32_t calls) {
  std::vector<double> there, handler, back;
  for (uint32_t i = 0; i < calls + calls / 10; ++i) {
    int64_t entered, left;
    const int64_t start = Now();
    const grpc::Status status = caller.Stamped(&entered, &left);
    const int64_t end = Now();
    if (!status.ok()) {
      return absl::AbortedError(absl::StrCat("a call failed with status ", status.error_code(),
                                             ": ", status.error_message()));
    }
    if (i < calls / 10) continue;
    there.push_back((entered - start) / 1e3);
    handler.push_back((left - entered) / 1e3);
    back.push_back((end - left) / 1e3);
  }
  BrokenDown parts;
  parts.set_there_us(Median(std::move(there)));
  parts.set_handler_us(Median(std::move(handler)));
  parts.set_back_us(Median(std::move(back)));
  return parts;
}

}  // namespace grpc_cxl::bench
