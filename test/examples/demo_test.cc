// Proves that the demo compares the transports, that it leaves no process and no file
// behind however it ends, and that it says clearly when a server dies.

#include <signal.h>

#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/bench/program.h"

namespace grpc_cxl::bench {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kDemo[] = "examples/greeter/demo";

// A demo in the middle of a round that would take minutes.
std::unique_ptr<Program> LongDemo() {
  auto demo = Program::Start(kDemo, {"--seconds=300"});
  EXPECT_EQ(demo->Processes("--role=server", 4).size(), 4u) << demo->output();
  EXPECT_EQ(demo->Processes("--role=client", 4).size(), 4u) << demo->output();
  return demo;
}

TEST(DemoTest, ComparesTheTransports) {
  const auto demo = Program::Start(kDemo, {"--rounds=1", "--seconds=0.1"});
  EXPECT_EQ(demo->Wait(), 0) << demo->output();
  // p50, p99, calls per second and CPU time are there and not zero; the last is the ratio.
  const std::string numbers = "( +[1-9][0-9.]*){4} +[0-9]+[.][0-9][0-9]\n";
  EXPECT_THAT(demo->output(), AllOf(ContainsRegex("\ntcp +127.0.0.1:[1-9][0-9]*" + numbers),
                                    ContainsRegex("\nunix +unix:[^ ]+" + numbers),
                                    ContainsRegex("\ncxl +cxl:///greeter" + numbers),
                                    ContainsRegex("\ncxl_direct +cxl:///greeter" + numbers)));
  EXPECT_THAT(demo->Processes("", 0), IsEmpty());
  EXPECT_THAT(demo->Files(), IsEmpty());
}

TEST(DemoTest, LeavesNothingBehindAfterCtrlC) {
  const auto demo = LongDemo();
  ASSERT_EQ(kill(demo->pid(), SIGINT), 0);
  EXPECT_EQ(demo->Wait(), 130);
  EXPECT_THAT(demo->output(), HasSubstr("demo: Interrupted.\n"));
  EXPECT_THAT(demo->Processes("", 0), IsEmpty());
  EXPECT_THAT(demo->Files(), IsEmpty());
}

TEST(DemoTest, LeavesNothingBehindWhenKilled) {
  const auto demo = LongDemo();
  ASSERT_EQ(kill(demo->pid(), SIGKILL), 0);
  EXPECT_EQ(demo->Wait(), 128 + SIGKILL);
  EXPECT_THAT(demo->Processes("", 0), IsEmpty());
  EXPECT_THAT(demo->Files(), IsEmpty());
}

TEST(DemoTest, NamesADeadServer) {
  const auto demo = LongDemo();
  const auto servers = demo->Processes("--role=server", 4);
  ASSERT_EQ(servers.size(), 4u);
  for (pid_t server : servers) ASSERT_EQ(kill(server, SIGKILL), 0);
  EXPECT_EQ(demo->Wait(), 1);
  EXPECT_THAT(
      demo->output(),
      ContainsRegex("demo: The server process of (tcp|unix|cxl|cxl_direct) \\(pid [0-9]+\\) was "
                    "killed by signal 9 \\(Killed\\)"));
  EXPECT_THAT(demo->Processes("", 0), IsEmpty());
  EXPECT_THAT(demo->Files(), IsEmpty());
}

}  // namespace
}  // namespace grpc_cxl::bench
