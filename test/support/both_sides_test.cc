// SPDX-License-Identifier: Apache-2.0
// Proves that the tests with two processes or threads cannot pass by accident: whatever
// goes wrong on either side is reported.

#include "test/support/both_sides.h"

#include <signal.h>
#include <unistd.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grpc_cxl::internal {
namespace {

using ::testing::HasSubstr;

std::string Fine() { return ""; }

class BothSidesTest : public ::testing::TestWithParam<World> {};

TEST_P(BothSidesTest, NothingWentWrong) { EXPECT_EQ(RunBothSides(GetParam(), Fine, Fine), ""); }

TEST_P(BothSidesTest, EitherSideIsReported) {
  EXPECT_EQ(RunBothSides(
                GetParam(), [] { return "a"; }, Fine),
            "here: a");
  EXPECT_EQ(RunBothSides(GetParam(), Fine, [] { return "b"; }), "there: b");
  EXPECT_EQ(RunBothSides(
                GetParam(), [] { return "a"; }, [] { return "b"; }),
            "here: a; there: b");
}

INSTANTIATE_TEST_SUITE_P(Worlds, BothSidesTest,
                         ::testing::Values(World::kThreads, World::kProcesses));

TEST(BothSidesTest, DeathOfTheChildIsReported) {
  EXPECT_THAT(RunBothSides(World::kProcesses, Fine,
                           [] {
                             raise(SIGKILL);
                             return "";
                           }),
              HasSubstr("killed by signal 9"));
  EXPECT_THAT(RunBothSides(World::kProcesses, Fine, []() -> std::string { _exit(66); }),
              HasSubstr("exit status 66"));
}

TEST(BothSidesTest, TheSidesAreTwoProcesses) {
  const pid_t us = getpid();
  EXPECT_EQ(RunBothSides(World::kProcesses, Fine,
                         [us] { return getpid() == us ? "the same process" : ""; }),
            "");
}

}  // namespace
}  // namespace grpc_cxl::internal
