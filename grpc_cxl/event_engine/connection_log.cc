// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/event_engine/connection_log.h"

#include <cstdint>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/log/log.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "grpc_cxl/base/steady_clock.h"

namespace grpc_cxl::internal {
namespace {

constexpr int kMostLines = 100;
constexpr int64_t kPeriodNs = 1'000'000'000;

struct Lines {
  absl::Mutex mu;
  int64_t began_ns ABSL_GUARDED_BY(mu) = 0;
  int lines ABSL_GUARDED_BY(mu) = 0;
  int left_out ABSL_GUARDED_BY(mu) = 0;
};

// How many lines have been left out before this one; -1: this one is, too.
int TakeLine() {
  static Lines* const lines = new Lines;
  const int64_t now = SteadyNs();
  absl::MutexLock lock(lines->mu);
  if (now - lines->began_ns > kPeriodNs) {
    lines->began_ns = now;
    lines->lines = 0;
  }
  if (++lines->lines <= kMostLines) return std::exchange(lines->left_out, 0);
  ++lines->left_out;
  return -1;
}

}  // namespace

void LogConnection(const EndpointSettings& settings, absl::FunctionRef<std::string()> line) {
  if (!settings.log_connections) {
    VLOG(1) << line();
    return;
  }
  const int left_out = TakeLine();
  if (left_out < 0) return;
  LOG(INFO) << line()
            << (left_out == 0 ? "" : absl::StrCat(" (", left_out, " such lines were left out)"));
}

}  // namespace grpc_cxl::internal
