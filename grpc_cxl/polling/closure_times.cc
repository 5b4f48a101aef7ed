// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/polling/closure_times.h"

#include <sys/resource.h>
#include <time.h>

#include <algorithm>

#include "grpc_cxl/base/steady_clock.h"

namespace grpc_cxl::internal {
namespace {

constexpr int64_t kShort = 50'000;  // ns
// This part of a closure's CPU time counts.
constexpr int64_t kCpuPart = 10;
// Longer times count as this: one long closure must not hide the short ones for ever.
constexpr int64_t kLongest = 5'000'000;  // ns

void Follow(std::atomic<int64_t>& average, int64_t ns) {
  const int64_t old = average.load(std::memory_order_relaxed);
  average.store(old + (std::clamp<int64_t>(ns, 0, kLongest) - old) / 8, std::memory_order_relaxed);
}

}  // namespace

bool ClosureTimes::AreShort() const {
  return took_ns_.load(std::memory_order_relaxed) < kShort ||
         worked_ns_.load(std::memory_order_relaxed) < kShort;
}

void ClosureTimes::Note(int64_t took_ns, std::optional<int64_t> worked_ns) {
  Follow(took_ns_, took_ns);
  if (!worked_ns.has_value()) return;
  Follow(worked_ns_, *worked_ns);
  // Half of the limit: one closure of 200 us is enough to have all measured that follow.
  if (worked_ns_.load(std::memory_order_relaxed) >= kShort / 2) return;
  const uint32_t random =
      random_.load(std::memory_order_relaxed) * 1'664'525 + 1'013'904'223;  // Numerical Recipes
  random_.store(random, std::memory_order_relaxed);
  leave_out_.store(random >> 28, std::memory_order_relaxed);  // 0 to 15
}

bool ClosureTimes::MeasureNext() {
  if (took_ns_.load(std::memory_order_relaxed) < kShort) return false;
  const uint32_t left = leave_out_.load(std::memory_order_relaxed);
  if (left == 0) return true;
  leave_out_.store(left - 1, std::memory_order_relaxed);
  return false;
}

ClosureTimes::Timing::Timing(ClosureTimes& times, int64_t start_ns)
    : times_(times), start_ns_(start_ns) {
  if (times_.MeasureNext()) before_ = DoneSoFar();
}

int64_t ClosureTimes::Timing::End() {
  const int64_t now = SteadyNs();
  const int64_t took_ns = now - start_ns_;
  std::optional<int64_t> worked_ns;
  if (before_.has_value()) {
    const Done after = DoneSoFar();
    const bool slept = after.sleeps != before_->sleeps;
    worked_ns = slept ? took_ns : std::min(took_ns, (after.cpu_ns - before_->cpu_ns) / kCpuPart);
  }
  times_.Note(took_ns, worked_ns);
  return now;
}

// A voluntary context switch, getrusage(2), is a sleep; sched_yield() is none. The times that
// getrusage() knows are as old as the last tick of the scheduler, this clock's are not.
ClosureTimes::Timing::Done ClosureTimes::Timing::DoneSoFar() {
  timespec cpu{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return {cpu.tv_sec * int64_t{1'000'000'000} + cpu.tv_nsec, usage.ru_nvcsw};
}

}  // namespace grpc_cxl::internal
