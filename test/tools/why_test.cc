// SPDX-License-Identifier: Apache-2.0
// Proves that `cxl_stat why` says what a channel would meet, for each reason that can be made with
// real processes, and that `cxl_stat doctor` runs.
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <optional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "test/e2e/child.h"
#include "test/support/eventually.h"
#include "test/support/spawned_child.h"
#include "test/support/temporary_directory.h"

namespace grpc_cxl::internal {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class WhyTest : public testing::Test {
 protected:
  std::string Why(const std::string& target,
                  std::map<std::string, std::optional<std::string>> environment = {}) const {
    environment.try_emplace("GRPC_CXL_DIR", directory_.path());
    SpawnedChild tool("grpc_cxl/tools/cxl_stat", {"why", target},
                      {.environment = environment, .read_stderr = true});
    EXPECT_EQ(tool.Finish(), 0) << tool.output();
    return tool.output();
  }
  e2e::Child Serve(const std::vector<std::string>& flags = {}) const {
    return {"server", e2e::TransportKind::kCxlDirect, directory_.path(), flags};
  }

  const TemporaryDirectory directory_{"/tmp"};
};

TEST_F(WhyTest, OfAName) {
  EXPECT_THAT(Why("e2e/echo"), StartsWith("not at all: no server listens on \"e2e/echo\" in "));
  auto server = Serve();
  ASSERT_EQ(server.ReadLine(), "serving");
  const std::string peer = "pid=" + std::to_string(server.pid()) + ",uid=";
  for (const char* target : {"e2e/echo", "cxl:///e2e/echo"}) {
    EXPECT_THAT(Why(target), StartsWith("through memory: the server is the process with " + peer));
  }
  EXPECT_THAT(Why("e2e/echo", {{"GRPC_CXL_ROLLOUT", "blue"}}),
              AllOf(StartsWith("not at all: "), HasSubstr("ours is \"blue\"")));
  EXPECT_THAT(Why("e2e/echo", {{"GRPC_CXL_DIR", "/nowhere"}}),
              AllOf(StartsWith("not at all: "), HasSubstr("/nowhere")));
  const std::string secret = directory_.path() + "/secret";
  std::ofstream(secret) << "sixteen bytes at least";
  ASSERT_EQ(chmod(secret.c_str(), 0600), 0);
  EXPECT_THAT(Why("e2e/echo", {{"GRPC_CXL_SECRET_FILE", secret}}),
              AllOf(StartsWith("not at all: "), HasSubstr("secret")));
  // The server's page counts it, with the reason.
  const std::string refused = " has refused 1 clients, the last one because the client asks for";
  EXPECT_TRUE(Eventually([&] { return Why("e2e/echo").find(refused) != std::string::npos; }));
  server.Stop();
  EXPECT_THAT(Why("e2e/echo"), HasSubstr("check whether it is stopped or overloaded"));
  server.Kill();
  EXPECT_THAT(Why("e2e/echo"), HasSubstr("its socket is there, so the server has died"));
}

TEST_F(WhyTest, OfReplicas) {
  const std::vector<std::string> flags = {"--address=cxl:///e2e/search", "--replica",
                                          "--leave=false", "--directory=" + directory_.path()};
  SpawnedChild first("test/e2e/restart_server", flags), second("test/e2e/restart_server", flags);
  for (SpawnedChild* server : {&first, &second}) ASSERT_EQ(server->ReadLine(), "serving");
  first.Kill();
  EXPECT_THAT(Why("e2e/search"), StartsWith("through memory: the server is the process with pid=" +
                                            std::to_string(second.pid())));
  second.Kill();
  EXPECT_THAT(Why("e2e/search"), HasSubstr("its socket is there, so the server has died"));
}

TEST_F(WhyTest, OfAServerOfAnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can start one";
  ASSERT_EQ(chmod(directory_.path().c_str(), 0777), 0);
  auto server = Serve({"--uid=4711"});
  ASSERT_EQ(server.ReadLine(), "serving");
  EXPECT_THAT(Why("e2e/echo"),
              AllOf(StartsWith("not at all: "), HasSubstr("uid 4711"), HasSubstr("allowed_uids")));
}

TEST_F(WhyTest, OfAnAddress) {
  EXPECT_THAT(Why("127.0.0.1:1"),
              StartsWith("over the network: no server has registered this address in "));
  SpawnedChild server("examples/greeter/server", {"--address=127.0.0.1:0"},
                      {.environment = {{"GRPC_CXL_DIR", directory_.path()}}, .read_stderr = true});
  const std::string line = server.ReadLine().value_or("nothing");
  const std::string address = line.substr(13, line.find(';') - 13);
  EXPECT_THAT(Why(address), StartsWith("through memory: the server is the process with pid=" +
                                       std::to_string(server.pid())))
      << line;
  EXPECT_THAT(Why(address, {{"GRPC_CXL_ROLLOUT", "blue"}}),
              AllOf(StartsWith("over the network: "), HasSubstr("for the rollout \"blue\""),
                    HasSubstr("another rollout has (tcp=127.0.0.1=")));
}

TEST_F(WhyTest, TheLogSaysTheSame) {
  const SpawnOptions debug{
      .environment = {{"GRPC_CXL_DIR", directory_.path()}, {"GRPC_CXL_LOG", "debug"}},
      .read_stderr = true};
  SpawnedChild server("examples/greeter/server", {"--address=cxl:///greeter"}, debug);
  ASSERT_TRUE(server.ReadUntil("Listening"));
  SpawnedChild client("examples/greeter/client", {"--address=cxl:///greeter"}, debug);
  EXPECT_EQ(client.Finish(), 0);
  const std::string made = "is made, through memory; trust: the same namespaces";
  EXPECT_THAT(client.output(),
              AllOf(HasSubstr("cxl:///greeter: the connection to the server with pid=" +
                              std::to_string(server.pid())),
                    HasSubstr(made)));
  EXPECT_TRUE(server.ReadUntil(" has ended: "));
  EXPECT_THAT(server.output(), HasSubstr(made));
}

TEST_F(WhyTest, TheDoctorComes) {
  SpawnedChild tool("grpc_cxl/tools/cxl_stat", {"doctor", "--dir=" + directory_.path()},
                    {.environment = {}, .read_stderr = true});
  EXPECT_EQ(tool.Finish(), 0) << tool.output();
  EXPECT_THAT(tool.output(), AllOf(HasSubstr("sealed memfds"), HasSubstr(directory_.path()),
                                   HasSubstr("wake-up")));
  SpawnedChild fails("grpc_cxl/tools/cxl_stat", {"doctor", "--dir=/dev/null"},
                     {.environment = {}, .read_stderr = true});
  EXPECT_EQ(fails.Finish(), 1) << fails.output();
  EXPECT_THAT(fails.output(), HasSubstr("BROKEN  directory"));
}

}  // namespace
}  // namespace grpc_cxl::internal
