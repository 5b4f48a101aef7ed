// SPDX-License-Identifier: Apache-2.0
// Proves that what goes wrong on either side is seen, the death of a child included.

#include "test/support/both_sides.h"

#include <signal.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

std::string Fine() { return ""; }

TEST(BothSidesTest, EitherSideIsReported) {
  for (const World world : {World::kThreads, World::kProcesses}) {
    EXPECT_EQ(RunBothSides(world, Fine, Fine), "");
    EXPECT_EQ(RunBothSides(
                  world, [] { return "a"; }, [] { return "b"; }),
              "here: a; there: b");
  }
}

TEST(BothSidesTest, TheEndOfAChildIsReported) {
  const auto die = [] { return raise(SIGKILL) == 0 ? "" : "it lives on"; };
  EXPECT_EQ(RunBothSides(World::kProcesses, Fine, die), "there: killed by signal 9");
  const auto exit = []() -> std::string { _exit(66); };
  EXPECT_EQ(RunBothSides(World::kProcesses, Fine, exit), "there: exit code 66");
}

}  // namespace
}  // namespace grpc_cxl::internal
