// SPDX-License-Identifier: Apache-2.0
// Proves that a busy process counts unless it is ours. Other tests may run beside this one, so
// shares are compared with each other and never judged alone.

#include "bench/probes/neighbours.h"

#include <unistd.h>

#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "bench/probes/usage.h"
#include "gtest/gtest.h"
#include "test/support/eventually.h"
#include "test/support/forked_child.h"

namespace grpc_cxl::bench {
namespace {

constexpr double kCpuSeconds = 0.5;

double CpuSeconds(pid_t pid) { return UsageOf(pid).cpu_ns / 1e9; }

// The share of the machine that so much CPU time was.
double ShareOf(double cpu_seconds, absl::Time start) {
  return cpu_seconds / (absl::ToDoubleSeconds(absl::Now() - start) * sysconf(_SC_NPROCESSORS_ONLN));
}

TEST(NeighboursTest, CountOtherProcessesUnlessTheyAreOurs) {
  internal::ForkedChild busy([]() -> std::string {
    for (;;) {
    }
  });
  const absl::Time start = absl::Now();
  const double before = CpuSeconds(busy.pid());
  const Neighbours all({}), not_busy({busy.pid()});
  ASSERT_TRUE(internal::Eventually([&] { return CpuSeconds(busy.pid()) > before + kCpuSeconds; }));
  const double share = ShareOf(CpuSeconds(busy.pid()) - before, start);
  EXPECT_GT(all.Share().value(), share / 2);
  EXPECT_GT(all.Share().value() - not_busy.Share().value(), share / 2);
}

}  // namespace
}  // namespace grpc_cxl::bench
