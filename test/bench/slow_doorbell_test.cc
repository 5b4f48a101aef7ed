// SPDX-License-Identifier: Apache-2.0
// Proves that the regression check finds a real one: with 20 us more in every wake-up its verdict
// must be SLOWER against the committed baseline. .ci/run also checks that //bench:regression
// passes without them.
//
// With 64 calls in flight every wake-up delays a call. With one spinning caller the service begins
// before the wake-up has ended, which hides most of it: half as much again, not twice.

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/bench/program.h"

namespace grpc_cxl::bench {
namespace {

TEST(SlowDoorbellTest, IsARegression) {
#ifndef NDEBUG
  GTEST_SKIP() << "not an optimized build, to which the baseline does not apply: use -c opt";
#endif
  internal::Program check("test/bench/regression_with_slow_doorbell",
                          {"--baseline=bench/baseline.json", "--cases=callback 64 B"});
  // 3: no verdict, on another kind of machine than the baseline's or beside other programs.
  EXPECT_THAT(check.Wait(), testing::AnyOf(1, 3)) << check.output();
  for (const std::string what : {"cxl_direct adaptive", "cxl_direct adaptive, CPU"}) {
    EXPECT_THAT(check.output(),
                testing::ContainsRegex("callback 64 B, 64 in flight, " + what + "[ 0-9.%]*SLOWER"));
  }
}

}  // namespace
}  // namespace grpc_cxl::bench
