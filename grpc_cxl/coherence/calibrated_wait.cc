// SPDX-License-Identifier: Apache-2.0
#include "grpc_cxl/coherence/calibrated_wait.h"

#include <algorithm>

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

#include "grpc_cxl/base/steady_clock.h"

namespace grpc_cxl::internal {
namespace {

constexpr int64_t kCalibrationNs = 400'000;
constexpr int kCalibrations = 5;

#if defined(__x86_64__)

// Intel SDM, CPUID leaf 80000007H, EDX bit 8: the counter runs at one rate, whatever the core
// does.
bool CounterIsInvariant() {
  unsigned eax, ebx, ecx, edx = 0;
  return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) != 0 && (edx >> 8 & 1) != 0;
}

// Ticks of the counter in a nanosecond. An interruption between two readings only adds ticks.
double MeasureTicksOnce() {
  const uint64_t start = __rdtsc();
  const int64_t start_ns = SteadyNs();
  int64_t now;
  do {
    now = SteadyNs();
  } while (now - start_ns < kCalibrationNs);
  return static_cast<double>(__rdtsc() - start) / static_cast<double>(now - start_ns);
}

// 0: not to be used.
double MeasureTicks() {
  if (!CounterIsInvariant()) return 0;
  double ticks = MeasureTicksOnce();
  for (int i = 1; i < kCalibrations; ++i) ticks = std::min(ticks, MeasureTicksOnce());
  return ticks;
}

#endif

}  // namespace

void WaitNanoseconds(int64_t nanoseconds) {
#if defined(__x86_64__)
  static const double ticks = MeasureTicks();
  if (ticks > 0) {
    const uint64_t start = __rdtsc();
    const auto enough = static_cast<uint64_t>(static_cast<double>(nanoseconds) * ticks);
    // No pause instruction: one may take as long as the wait.
    while (__rdtsc() - start < enough) {
    }
    return;
  }
#endif
  const int64_t start = SteadyNs();
  while (SteadyNs() - start < nanoseconds) {
  }
}

}  // namespace grpc_cxl::internal
