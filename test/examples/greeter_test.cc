// SPDX-License-Identifier: Apache-2.0
// Proves that the greeter's server and client work on every kind of address, that the demo compares
// the transports, and that all of them leave nothing behind however they end.

#include <signal.h>

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/bench/program.h"
#include "test/support/spawned_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;

class GreeterTest : public testing::Test {
 protected:
  SpawnedChild Run(const std::string& program, const std::vector<std::string>& flags) {
    return SpawnedChild(
        "examples/greeter/" + program, flags,
        {.environment = {{"GRPC_CXL_DIR", directory_.path()}}, .read_stderr = true});
  }

  const TemporaryDirectory directory_{"/tmp"};
};

TEST_F(GreeterTest, ServesAndGreetsOnEveryKindOfAddress) {
  for (const std::vector<std::string>& flags :
       std::vector<std::vector<std::string>>{{"--address=cxl:///greeter"},
                                             {"--address=cxl:///greeter", "--nodirect_calls"},
                                             {"--address=unix:" + directory_.path() + "/greeter"},
                                             {"--address=127.0.0.1:0"}}) {
    SpawnedChild server = Run("server", flags);
    const std::string line = server.ReadLine().value_or("nothing: " + server.output());
    ASSERT_THAT(line, ContainsRegex("^Listening on [^ ]*(greeter|:[1-9][0-9]*); Ctrl-C ends it.$"));
    const std::string address = line.substr(13, line.find(';') - 13);
    SpawnedChild client = Run("client", {"--address=" + address, "--name=Ada"});
    EXPECT_EQ(client.Finish(), 0);
    EXPECT_EQ(client.output(), "Hello, Ada!\n");
    kill(server.pid(), SIGINT);
    EXPECT_EQ(server.Finish(), 0) << server.output();
    EXPECT_THAT(directory_.List(), testing::IsEmpty());
  }
}

TEST_F(GreeterTest, CallsBack) {
  SpawnedChild server = Run("server", {"--call_back"});
  ASSERT_TRUE(server.ReadLine().has_value());
  SpawnedChild client = Run("client", {"--serve_back", "--name=Ada"});
  EXPECT_EQ(client.Finish(), 0);
  EXPECT_EQ(client.output(), "Hello, Ada! You said: Hello, server!\n");
  SpawnedChild other = Run("client", {});
  EXPECT_EQ(other.Finish(), 1);
  EXPECT_THAT(other.output(), HasSubstr("the client serves nothing back"));
}

TEST_F(GreeterTest, SaysWhatFailed) {
  SpawnedChild client = Run("client", {});
  EXPECT_EQ(client.Finish(), 1);
  EXPECT_THAT(client.output(), HasSubstr("The call failed with status 14: "));
  SpawnedChild server = Run("server", {"--address=cxl:///not/a//name"});
  EXPECT_EQ(server.Finish(), 1);
  EXPECT_THAT(server.output(), HasSubstr("has an empty part"));
}

constexpr char kDemo[] = "examples/greeter/demo";

TEST(DemoTest, ComparesTheTransports) {
  Program demo(kDemo, {"--rounds=1", "--seconds=0.1"});
  EXPECT_EQ(demo.Wait(), 0) << demo.output();
  const std::string numbers = " +[1-9][0-9]*[.][0-9] +[0-9]+[.][0-9][0-9]  ";
  EXPECT_THAT(
      demo.output(),
      AllOf(ContainsRegex("\ntcp" + numbers + "127.0.0.1:[1-9][0-9]*\n"),
            ContainsRegex("\nunix" + numbers + "unix-abstract:greeter-demo-[0-9]+\n"),
            ContainsRegex("\ncxl" + numbers + "cxl:///greeter-demo-[0-9]+\n"),
            ContainsRegex("\ncxl_direct" + numbers + "cxl:///greeter-demo-[0-9]+-direct\n"),
            ContainsRegex("\nThe client of cxl waits by kAdaptive: a wake-up takes it "),
            ContainsRegex("spins\nfor [0-9.]+ us before it sleeps, and it has slept in [0-9]+ %")));
  demo.ExpectNothingLeft();
}

// Also when only the demo itself gets the signal.
TEST(DemoTest, LeavesNothingBehindWhenKilled) {
  for (const int signal : {SIGINT, SIGTERM, SIGKILL}) {
    Program demo(kDemo, {"--seconds=300"});
    ASSERT_EQ(demo.child().Processes("", 9).size(), 9u) << demo.output();
    ASSERT_EQ(kill(demo.child().pid(), signal), 0);
    EXPECT_EQ(demo.Wait(), -signal);
    demo.ExpectNothingLeft();
  }
}

TEST(DemoTest, EndsWhenAServerDies) {
  Program demo(kDemo, {"--seconds=300"});
  ASSERT_EQ(demo.child().Processes("", 9).size(), 9u) << demo.output();
  const std::vector<pid_t> servers = demo.child().Processes("--address=127.0.0.1", 1);
  ASSERT_EQ(servers.size(), 1u);
  ASSERT_EQ(kill(servers[0], SIGTERM), 0);
  EXPECT_EQ(demo.Wait(), 1);
  EXPECT_THAT(demo.output(), AllOf(ContainsRegex("A call to 127.0.0.1:[0-9]+ failed: "),
                                   HasSubstr("demo: a process of tcp has ended")));
  demo.ExpectNothingLeft();
}

}  // namespace
}  // namespace grpc_cxl::internal
