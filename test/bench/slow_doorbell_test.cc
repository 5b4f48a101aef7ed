// SPDX-License-Identifier: Apache-2.0
// Proves that the regression check finds a real one: an rpc_bench with 20 us more in every wake-up
// is slower than one without.
//
// With 64 calls in flight every wake-up delays a call, and takes CPU time of it: whichever is found
// out first ends the check. With one spinning caller the service begins before the wake-up has
// ended, which hides most of it.

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/bench/program.h"

namespace grpc_cxl::bench {
namespace {

TEST(SlowDoorbellTest, IsARegression) {
  internal::Program check(
      "bench/regression",
      {"--binary_a=bench/rpc_bench", "--binary_b=test/bench/rpc_bench_with_slow_doorbell",
       "--cases=direct 64 B 64", "--seconds=0.05", "--minutes=1"});
  EXPECT_EQ(check.Wait(), 1) << check.output();
  EXPECT_THAT(check.output(),
              testing::ContainsRegex("direct 64 B 64 in flight +(p50|CPU) .*SLOWER"));
}

}  // namespace
}  // namespace grpc_cxl::bench
