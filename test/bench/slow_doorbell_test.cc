// Proves that the regression check catches a real one: 20 us more in every ring of a doorbell
// must be a verdict of SLOWER against the committed baseline. That the same tree without them
// passes is checked beside it by .ci/run, with //bench:regression itself.
//
// With 64 calls in flight every ring is on somebody's way. A single caller that spins hides most
// of them, since the service begins before the ringing has ended: half as much again, not twice.

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/bench/program.h"

namespace grpc_cxl::bench {
namespace {

using testing::AnyOf;
using testing::ContainsRegex;

TEST(SlowDoorbellTest, IsARegression) {
#ifndef NDEBUG
  GTEST_SKIP() << "not an optimized build, to which the baseline does not apply: use -c opt";
#endif
  const auto check = Program::Start("test/bench/regression_with_slow_doorbell",
                                    {"--baseline=bench/baseline.json", "--cases=callback 64 B"});
  // 3: on another kind of machine than the baseline's, or beside others, it does not dare to say
  // so.
  EXPECT_THAT(check->Wait(), AnyOf(1, 3)) << check->output();
  for (const std::string what : {"cxl_direct adaptive", "cxl_direct adaptive, CPU"}) {
    EXPECT_THAT(check->output(),
                ContainsRegex("callback 64 B, 64 in flight, " + what + "[ 0-9.%]*SLOWER"));
  }
}

}  // namespace
}  // namespace grpc_cxl::bench
